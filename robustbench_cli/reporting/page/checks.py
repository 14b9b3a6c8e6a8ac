"""Every finding of the checks with its remedy, worst first; what is the same stands once."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from robustbench_cli.reporting.formats.table import Section
from robustbench_cli.reporting.tables.cells import NONE, listing
from robustbench_cli.trust.check import Finding
from robustbench_cli.trust.examine import Found, Subject

from .element import el
from .tables import section_table

_LEVELS = ("failure", "warning", "pass")


def findings(found: Found) -> list[Element]:
    """Failures and warnings in a table, and what passed in another that can be opened."""
    alike: dict[Finding, list[Subject]] = {}
    for subject, each in found.items():
        for finding in each:
            alike.setdefault(finding, []).append(subject)
    if not alike:
        return [el("p", "No check had anything to look at.")]
    ordered = sorted(alike, key=lambda finding: _LEVELS.index(finding.level))
    bad = [_row(f, alike[f], 6) for f in ordered if f.level != "pass"]
    good = [_row(f, alike[f], 3) for f in ordered if f.level == "pass"]
    header = ("check", "level", "what was seen", "what to do", "networks")
    made = []
    if bad:
        made.append(section_table(Section("What did not pass", header, tuple(bad))))
    if good:
        table = section_table(Section("What passed", header, tuple(good)))
        made.append(el("details", el("summary", f"{len(good)} that passed"), table))
    return made


def _row(finding: Finding, subjects: Iterable[Subject], most: int) -> tuple[str, ...]:
    names = listing(subjects, most)
    return finding.check, finding.level, finding.text, finding.remedy or NONE, names
