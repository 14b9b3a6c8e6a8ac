"""The page of a card: one network, one protocol, and how far to believe it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.analyses import collect_analyses
from robustbench_cli.reporting.card.document import Card, members
from robustbench_cli.reporting.card.parts import CORRUPTIONS, PICTURES
from robustbench_cli.reporting.card.shown import (
    HEADER,
    TOGETHER,
    about_images,
    notes,
    rows,
    summary,
    threat_title,
)
from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.tables.cells import NONE, NORMS

from . import checks, origin, pictures
from .bars import Bar, bars
from .element import el
from .page import commands, written
from .tables import paragraph, section_table, side_by_side


def card_page(card: Card) -> str:
    """The document."""
    document = card.document
    sections: dict[str, Sequence[Element]] = {"Result": _result(card)}
    sections["Accuracy"] = _accuracy(document)
    if broken := members(card):
        sections["Who broke what"] = [side_by_side(_broken(document, broken))]
    if document["corruptions"]:
        sections["Corruptions"] = _corruptions(document)
    if shown := _pictures(card):
        sections["Adversarial images"] = shown
    sections["Checks"] = checks.findings(card.findings)
    sections["Protocol"] = [side_by_side(_protocol(card))]
    told = [*origin.settings([card.run]), _versions(document)]
    sections["Settings and versions"] = [side_by_side(told)]
    if document["command"]:
        sections["To repeat it"] = commands([document["command"]])
    return written(f"Card of {document['network']['name']}", sections)


def _result(card: Card) -> list[Element]:
    document = card.document
    made = [*paragraph(summary(document), "result"), *paragraph([document["verdict"]], "verdict")]
    if cautions := notes(card):
        made.append(el("h3", "To know before believing a number"))
        made.append(el("ul", *(el("li", note) for note in cautions), class_="notes"))
    made.append(el("h3", "What this budget leaves open"))
    made.append(el("ul", *(el("li", line) for line in about_images(document)[1:]), class_="notes"))
    return made


def _accuracy(document: Mapping[str, Any]) -> list[Element]:
    panels = [_panel(document, threat) for threat in document["threats"]]
    tables = [Section("Without an attacker", HEADER, rows(document, None))]
    tables += [Section(threat_title(t), HEADER, rows(document, t)) for t in document["threats"]]
    drawn = el("div", *panels, class_="panels")
    return [*paragraph(about_images(document)[:1], "small"), drawn, side_by_side(tables)]


def _panel(document: Mapping[str, Any], threat: Mapping[str, Any]) -> Element:
    """What is right unchanged, under each attack, and under all of them."""
    norms = (None, threat["norm"])
    listed = [each for each in document["numbers"] if each["norm"] in norms]
    found = [Bar(e["what"], e["accuracy"], e["low"], e["high"]) for e in listed]
    found += [
        Bar(TOGETHER, each["accuracy"], each["low"], each["high"], last=True)
        for each in document["robust"]
        if each["norm"] == threat["norm"]
    ]
    title = f"{NORMS.get(threat['norm'], threat['norm'])}, ε = {threat['eps']}"
    chance = len(document["network"]["classes"])
    drawn = bars(found, f"Accuracy under {title}", 1 / chance if chance else None)
    return el("figure", el("figcaption", title), drawn, class_="decay")


def _broken(document: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> list[Section]:
    """By the worst case's members, and by each result alone."""
    header = ("member", "tried", "broke", "forwards", "backwards", "seconds")
    made = []
    listed = list(found)
    for threat in document["threats"]:
        mine = [each for each in listed if each["norm"] == threat["norm"]]
        norm = NORMS.get(threat["norm"], threat["norm"])
        cells = tuple(
            (
                str(each["member"]),
                *(f"{each[key]:,}" for key in ("tried", "broken", "forwards", "backwards")),
                f"{each['seconds']:.3g}",
            )
            for each in mine
        )
        if cells:
            made.append(Section(f"Worst case in {norm}: each sees what is left", header, cells))
    return made


def _corruptions(document: Mapping[str, Any]) -> list[Element]:
    """A row for each corruption, a column for each severity."""
    cells = document["corruptions"]
    severities = sorted({each["severity"] for each in cells})
    names = list(dict.fromkeys((each["corruption"], each["kind"]) for each in cells))
    found = {(each["corruption"], each["severity"]): each["accuracy"] for each in cells}
    header = ("corruption", "kind", *(f"severity {s}" for s in severities))
    table = tuple(
        (
            name,
            kind,
            *(f"{100 * found[name, s]:.1f}" if (name, s) in found else NONE for s in severities),
        )
        for name, kind in names
    )
    spec = next(e["attack"] for e in document["numbers"] if e["what"] == CORRUPTIONS)
    here = "made here" if "images=made" in spec else "as their authors published them"
    title = f"Accuracy in % under common corruptions, {here}"
    return [section_table(Section(title, header, table))]


def _pictures(card: Card) -> list[Element]:
    wanted = {analysed.analysis for part, analysed in card.analysed if part.role == PICTURES}
    if not wanted:
        return []
    try:
        return pictures.adversarials(collect_analyses([card.run], analysis=sorted(wanted)))
    except RunError:
        return []


def _protocol(card: Card) -> list[Section]:
    document = card.document
    told, sure = document["protocol"], document["certainty"]
    facts = [
        ("strength", told["strength"]),
        ("checks", told["checks"]),
        ("test images", f"the first {told['images']:,} of {told['of']:,}"),
        ("budget", NONE if told["minutes"] is None else f"{told['minutes']:g} minutes"),
        ("expected to take", _duration(told["expected_seconds"])),
        ("took", _duration(told["spent_seconds"])),
        ("full strength, all images, expected", _duration(told["full_seconds"])),
        ("widest interval, either way", f"{100 * sure['half_width']:.1f} points"),
        ("... with all test images", f"{100 * sure['of_all']:.1f} points"),
        ("adversarials of another network", told["source"] or NONE),
        ("seed", str(told["seed"])),
    ]
    header = ("result", "norm", "by", "forwards per image", "backwards per image", "seconds")
    spent = tuple(
        (
            each["what"],
            NORMS.get(each["norm"], each["norm"]) if each["norm"] else NONE,
            each["attack"],
            *(NONE if each[k] is None else f"{each[k]:,.4g}" for k in _PASSES),
            NONE if each["seconds"] is None else f"{each['seconds']:,.3g}",
        )
        for each in document["numbers"]
        if each["attack"]
    )
    return [
        Section("How it was chosen", ("setting", "value"), tuple(facts)),
        Section("What it cost", header, spent),
    ]


_PASSES = ("forwards", "backwards")


def _versions(document: Mapping[str, Any]) -> Section:
    facts = [(str(k), str(v)) for k, v in document["versions"].items()]
    facts += [("device", document["device"]), ("newest result", document["made"])]
    return Section("Versions", ("of", "value"), tuple(facts))


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
