"""The table of published numbers: theirs, ours, the difference, and whether ours leaves room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

import pandas as pd

from robustbench_cli.reporting.analyses import cell
from robustbench_cli.reporting.formats.document import FORMAT, rounded
from robustbench_cli.reporting.formats.table import WIDTH, Section, Table
from robustbench_cli.reporting.numbers.published import Beside
from robustbench_cli.reporting.numbers.summary import Estimate
from robustbench_cli.reporting.statements import PLAIN

from .cells import INTERVALS, NONE, digits_for, percent, signed
from .claims import measure_text

_INSIDE = {True: "yes", False: "no", None: NONE}


def published_table(found: Sequence[Beside]) -> Table:
    """A section for each source and attack."""
    sections = []
    for (head, _), alike in groupby(found, key=_place):
        sections.append(_section(list(alike), head))
    entries = [_entry(each) for each in found]
    return Table(
        caption=("Published numbers beside ours: accuracies in %, cost in seconds of training.",),
        sections=tuple(sections),
        footer=tuple(_footer(found)),
        frame=pd.DataFrame([{"statement": "published", **entry} for entry in entries]),
        document={"format": FORMAT, "published": entries},
    )


def _place(found: Beside) -> tuple[str, str]:
    """The section of a number: what was said where, and the attack."""
    published = found.published
    head = " ".join(
        filter(None, [published.text, f"({published.source})" if published.source else ""])
    )
    of = {"cost": "cost", "validation-loss": "validation-loss", "number": published.analysis}
    return head, str(of.get(published.measure, published.attack))


def _section(found: Sequence[Beside], head: str) -> Section:
    of = [measure_text(each.published, each.attack) for each in found]
    title = wrap(head or "Published", WIDTH)
    columns = {
        "method": [each.label for each in found],
        "of": of,
        "published": [_plain(each) for each in found],
        "ours": [_ours(each) for each in found],
        "difference": [_difference(each) for each in found],
        "inside": ["missing" if each.why else _INSIDE[each.inside] for each in found],
    }
    if len(set(of)) == 1:
        title += wrap(columns.pop("of")[0], WIDTH)
    rows = tuple(zip(*columns.values(), strict=True))
    return Section("\n".join(title), tuple(columns), rows)


def _plain(found: Beside) -> str:
    value = found.published.value
    return f"{value:.4g}" if _is_plain(found) else f"{100 * value:.6g}"


def _is_plain(found: Beside) -> bool:
    """Whether it is no share, or, of a number that is missing, still as it was printed."""
    measure = found.published.measure
    return measure == "cost" or (measure in PLAIN and found.unit != "share")


def _ours(found: Beside) -> str:
    if found.ours is None:
        return NONE
    if found.published.measure in PLAIN:
        return cell(found.ours, found.unit)
    if found.published.measure != "cost":
        return percent(found.ours, digits_for(found.n or 0))
    half = found.ours.half_width
    return f"{found.ours.value:.4g}" + (f" ± {half:.2g}" if half is not None else "")


def _difference(found: Beside) -> str:
    if found.difference is None:
        return NONE
    if _is_plain(found):
        return f"{found.difference:+.3g}".replace("-", "−")
    return signed(found.difference, digits_for(found.n or 0))


def _footer(found: Sequence[Beside]) -> list[str]:
    kinds = {each.ours.interval for each in found if each.ours}
    lines = [text for kind, text in INTERVALS.items() if kind in kinds]
    lines.append("inside: whether the published number lies in our interval; theirs is not known.")
    if any(each.published.measure == "cost" for each in found):
        lines.append("Seconds are of another machine: compare their ratios, as a [[claim]].")
    for each in found:
        if each.why:
            line = f"{each.label}, {measure_text(each.published)}: missing: {each.why}"
            lines += wrap(line, WIDTH, break_on_hyphens=False, subsequent_indent="  ")
        elif each.checks == "failed":
            lines.append(f"{each.label}, {measure_text(each.published)}: a check of ours failed.")
    counts = [sum(each.inside is kind for each in found) for kind in (True, False)]
    return [*lines, f"Published: {counts[0]} of {sum(counts)} inside of our intervals."]


def _entry(found: Beside) -> dict[str, Any]:
    published, ours = found.published, found.ours or Estimate(float("nan"), None, None, "none", ())
    return {
        **{
            key: getattr(published, key)
            for key in ("text", "source", "method", "measure", "analysis", "number", "by")
        },
        "unit": found.unit or None,
        "label": found.label,
        "attack": found.attack or published.attack,
        "eps": published.eps.text if published.eps else None,
        "eps_value": float(published.eps) if published.eps else None,
        "published": published.value,
        "ours": rounded(ours.value),
        "low": rounded(ours.low),
        "high": rounded(ours.high),
        "interval": ours.interval,
        "runs": len(ours.values),
        "images": found.n,
        "difference": rounded(found.difference),
        "inside": found.inside,
        "missing": found.why or None,
        "machine": found.on or None,
        "checks": found.checks or None,
    }
