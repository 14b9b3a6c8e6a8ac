"""A card as a table for the screen, and the sentences that stand on its page, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from robustbench_cli.reporting.formats.table import Section, Table
from robustbench_cli.reporting.numbers.summary import Estimate
from robustbench_cli.reporting.tables.cells import NONE, NORMS, digits_for, percent, units

from .document import Card

TOGETHER = "all attacks"
"""The row of samples that withstand everything."""


def card_table(card: Card) -> Table:
    """Printed, the numbers; as JSON, the document."""
    document = card.document
    sections = [Section("Without an attacker", HEADER, rows(document, None))]
    for threat in document["threats"]:
        sections.append(Section(threat_title(threat), HEADER, rows(document, threat)))
    footer = [*about_images(document), document["verdict"]]
    frame = pd.DataFrame(document["numbers"])
    caution = notes(card)
    return Table((caption(document),), tuple(sections), tuple(footer), frame, document, caution)


HEADER = ("under", "accuracy (%)", "by")


def caption(document: Mapping[str, Any]) -> str:
    network, told = document["network"], document["protocol"]
    return (
        f"Card of {network['name']}: {network['data']}, {network['model']}, "
        f"{told['images']:,} of {told['of']:,} test images, {told['strength']} strength."
    )


def threat_title(threat: Mapping[str, Any]) -> str:
    """``L∞, ε = 0.3 (usual for mnist: ...)``."""
    norm = NORMS.get(threat["norm"], threat["norm"])
    return f"{norm}, ε = {threat['eps']} ({threat['why']})"


def rows(
    document: Mapping[str, Any], threat: Mapping[str, Any] | None
) -> tuple[tuple[str, str, str], ...]:
    """(what, accuracy, attack) in the norm of a threat; of None, without an attacker."""
    norm = threat and threat["norm"]
    listed = [each for each in document["numbers"] if each["norm"] == norm]
    found = [(each["what"], share(each), each["attack"] or NONE) for each in listed]
    if threat:
        together = [each for each in document["robust"] if each["norm"] == norm]
        found += [(TOGETHER, share(each), "each image at its worst") for each in together]
    return tuple(found)


def share(each: Mapping[str, Any]) -> str:
    """``93.1 [91.4–94.5]``."""
    estimate = Estimate(each["accuracy"], each["low"], each["high"], "wilson", (each["accuracy"],))
    return percent(estimate, digits_for(each["n"]))


def notes(card: Card) -> list[str]:
    """What did not pass, worst first; of one network, which needs no name."""
    listed = [finding for found in card.findings.values() for finding in found]
    return [str(f) for level in ("failure", "warning") for f in listed if f.level == level]


def about_images(document: Mapping[str, Any]) -> list[str]:
    """What the numbers are of, and what a smaller budget than the full one costs in certainty."""
    told, sure = document["protocol"], document["certainty"]
    widest, best = (f"{100 * sure[key]:.1f}" for key in ("half_width", "of_all"))
    norms = units(threat["norm"] for threat in document["threats"])
    lines = [f"ε: norm of the perturbation, {norms}. Every image counts. [95 % Wilson interval]"]
    if told["images"] < told["of"]:
        lines.append(
            f"{told['images']:,} images leave up to {widest} points either way; all "
            f"{told['of']:,} would leave {best}."
        )
    else:
        lines.append(f"All test images; what is left open is up to {best} points either way.")
    if told["weaker"]:
        lines.append(f"Weaker than the full protocol: {', '.join(told['weaker'])}.")
    if told["left_out"]:
        lines.append(f"Left out: {'; '.join(told['left_out'])}.")
    if published := document["network"]["published"]:
        lines.append(published)
    return lines


def summary(document: Mapping[str, Any]) -> Sequence[str]:
    """The result in sentences."""
    clean = next(each for each in document["numbers"] if each["what"] == "clean")
    lines = [f"{share(clean)} % of the images are classified correctly unchanged."]
    for each in document["robust"]:
        norm = NORMS.get(each["norm"], each["norm"])
        lines.append(
            f"{share(each)} % withstand everything that was tried in {norm} at ε = {each['eps']}."
        )
    return lines
