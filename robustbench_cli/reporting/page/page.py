"""The page: its head with style and script inside, and the sections, what matters most first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

from robustbench_cli.reporting.formats.table import Table
from robustbench_cli.reporting.numbers.paths import short_paths
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import listing

from . import checks, costs, curves, origin, pictures, plots
from .element import el, render
from .tables import Groups, paragraph, side_by_side, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

APART = ("decay-curve", "adversarials")
"""Figures that the page draws by itself."""
_ROOM = 500_000  # letters, for all figures together
_TITLES = {
    "tried": "How the settings were chosen",
    "claims": "Claims",
    "published": "Published numbers beside ours",
    "transfers": "Transfers",
    "analyses": "Analyses",
}


def page(
    selection: Selection,
    tables: Mapping[str, Table],
    drawings: Mapping[str, Drawing],
    command: str = "",
) -> str:
    """The document.

    Args:
        tables: by what they are of: table (the accuracies), claims, published, transfers, analyses,
            tried.
        drawings: by figure; the decay curves are drawn anew, so that they answer.
        command: what was typed for this page.
    """
    attacked = "table" in tables
    labels = [curve.label for curve in selection.curves] if attacked else []
    groups = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    sections = {"Overview": _overview(selection, tables, groups, attacked)}
    for key in ("tried", "claims", "published"):
        if key in tables:
            sections[_TITLES[key]] = whole(tables[key], groups)
    if attacked:
        sections["Decay curves"] = curves.decay(selection, groups)
        sections["Accuracy"] = whole(tables["table"], groups)
    if figures := _figures({k: v for k, v in drawings.items() if k not in APART}):
        sections["Figures"] = figures
    for key in ("transfers", "analyses"):
        if key in tables:
            sections[_TITLES[key]] = whole(tables[key], groups)
    images = pictures.adversarials(selection.answers) if "analyses" in tables else []
    if images:
        sections["Adversarial images"] = images
    if attacked:
        sections["Checks"] = checks.findings(selection.findings)
    runs = selection.runs
    if spent := costs.sections(runs, selection.by):
        sections["Costs"] = [side_by_side(spent, groups)]
    told = [*origin.settings(runs), origin.versions(runs)]
    sections["Settings and versions"] = [side_by_side(told)]
    sections["To repeat it"] = commands([*origin.commands(runs), *[command] * bool(command)])
    return written(_title(selection), sections)


def _title(selection: Selection) -> str:
    data = dict.fromkeys(str(run.config.get("data", "?")) for run in selection.runs)
    listed = ", ".join(map(short_paths(data), data))
    count = len(selection.runs)
    return f"Robustness of {count} network{'s' * (count > 1)} on {listed}"


def _overview(
    selection: Selection, tables: Mapping[str, Table], groups: Groups, attacked: bool
) -> list[Element]:
    """What a reader must know who reads nothing else."""
    made = []
    if attacked:
        made += paragraph(selection.verdict, "verdict")
    for key in ("claims", "published"):
        if key in tables and tables[key].footer:
            made.append(el("p", tables[key].footer[-1]))
    notes = list(dict.fromkeys(note for table in tables.values() for note in table.notes))
    if notes:
        made.append(el("h3", "To know before believing a number"))
        made.append(el("ul", *(el("li", note) for note in notes), class_="notes"))
    return made


def _figures(drawings: Mapping[str, Drawing]) -> list[Element]:
    """In their order as many as there is room for; the others are named."""
    made, left, room = [], [], _ROOM
    for name, drawing in drawings.items():
        picture = plots.inline(drawing, name)
        size = len(tostring(picture))
        if size > room:
            left.append(name)
            continue
        room -= size
        made.append(_figure(name, picture))
    if left:
        text = f"Too large for a page: {listing(left)}; type: robustmix report RUNS --figure NAME"
        made.append(el("p", text, class_="small"))
    return made


def _figure(name: str, picture: Element) -> Element:
    """Tall ones are closed at first."""
    _, _, width, height = map(float, picture.get("viewBox", "0 0 1 1").split())
    caption = el("summary", el("figcaption", name.replace("-", " ")))
    opened = "" if height < 1.2 * width else None
    details = el("details", caption, el("div", picture, class_="paper"), open=opened)
    return el("figure", details)


def commands(lines: Sequence[str]) -> list[Element]:
    said = (
        "What is finished is not done again. What belongs to a machine is left out: folders, "
        "--device, --jobs."
    )
    return [*paragraph([said], "small"), *(el("pre", el("code", line)) for line in lines)]


def written(title: str, sections: Mapping[str, Sequence[Element]]) -> str:
    """A whole document, with its head, a list of its sections, and nothing from elsewhere."""
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in _FILES)
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{mark}'"
    )
    links = [
        el("li", el("a", name, href=f"#section-{i}")) for i, name in enumerate(sections, start=1)
    ]
    bodies = [
        el("section", el("h2", name, id=f"section-{i}"), *parts, aria_labelledby=f"section-{i}")
        for i, (name, parts) in enumerate(sections.items(), start=1)
    ]
    content_policy = el("meta", content=policy)
    content_policy.set("http-equiv", "Content-Security-Policy")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        content_policy,
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", style),
    )
    body = el(
        "body",
        el("a", "To the content", href="#content", class_="skip"),
        el("header", el("h1", title), el("nav", el("ul", *links), aria_label="Sections")),
        el("main", *bodies, id="content"),
        el("footer", el("p", "Made by robustmix; this file needs no network.", class_="small")),
        el("script", script),
    )
    return render(el("html", head, body, lang="en"))


_FILES = ("page.css", "page.js")
