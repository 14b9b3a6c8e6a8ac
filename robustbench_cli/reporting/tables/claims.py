"""The table of claims: a row for each, with its difference, interval and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

import pandas as pd

from robustbench_cli.reporting.formats.document import FORMAT, rounded
from robustbench_cli.reporting.formats.table import WIDTH, Section, Table
from robustbench_cli.reporting.numbers.claims import VERDICTS, Judged
from robustbench_cli.reporting.statements import PLAIN, Claim, Statement

from .cells import NONE, digits_for, signed

_MEANING = {
    "better": "difference of A > B and A = B: A − B, points; over images and runs.",
    "stronger": "difference of A stronger than B: what A breaks more, points; images and runs.",
    "number": "difference of numbers of analyses: A − B, or B − A of A < B; over runs (Welch).",
    "validation-loss": "difference of losses, A < B: B − A, in nats; over runs (Welch).",
    "cost": "difference of A cheaper than B: what B costs more, in % of A (Welch, of logarithms).",
}
_VERDICTS = ("supported: the whole interval lies where the claim says; contradicted: none of it.",)


def claims_table(judged: Sequence[Judged]) -> Table:
    """A section for each text and source."""
    sections = []
    for (text, source), alike in groupby(judged, key=lambda each: _said(each.claim)):
        sections.append(_section(list(alike), text, source))
    entries = [_entry(each) for each in judged]
    return Table(
        caption=tuple(_caption(judged)),
        sections=tuple(sections),
        footer=tuple(_footer(judged)),
        frame=pd.DataFrame([_flat(entry) for entry in entries]),
        document={"format": FORMAT, "claims": entries},
    )


def relation_text(claim: Claim) -> str:
    """``vib > mixup by 2``: who is said to be better than whom, and by how much."""
    amount = f"{100 * claim.margin:g}" + " %" * (claim.measure == "cost")
    if claim.measure in PLAIN:
        amount = f"{claim.margin:g}"
    if claim.relation == "equal":
        return f"{claim.first} = {claim.second} within {amount}"
    by = f" by {amount}" if claim.margin else ""
    if claim.relation == "stronger":
        return f"{claim.first} stronger than {claim.second}{by}"
    sign = "cheaper than" if claim.measure == "cost" else "<" if claim.lower else ">"
    return f"{claim.first} {sign} {claim.second}{by}"


def measure_text(statement: Statement, attack: str | None = None) -> str:
    """``linf-pgd, ε=0.1``; `attack`: whole, where it was named in short."""
    named = attack or statement.attack
    if isinstance(statement, Claim) and statement.method:
        named = f"on {statement.method}"
    what = {
        "number": f"{statement.analysis}, {statement.number}",
        "accuracy": f"ε={statement.eps}",
        "clean": "clean accuracy",
        "area": "area",
        "cost": "seconds of training",
        "validation-loss": "validation loss",
    }[statement.measure]
    return (
        what if statement.measure not in ("accuracy", "area") or not named else f"{named}, {what}"
    )


def difference_text(judged: Judged) -> str:
    """``+3.2 [+1.0, +5.1]``, in points or, of cost, in %, or in the unit of an analysis."""
    found = judged.difference
    if found is None:
        return NONE
    if judged.unit not in ("", "share"):
        ends = [f"{v:+.3g}".replace("-", "−") for v in (found.low, found.high) if v is not None]
        text = f"{found.value:+.3g}".replace("-", "−")
        return f"{text} [{', '.join(ends)}]" if ends else text
    unit, digits = (" %", 1) if judged.claim.measure == "cost" else ("", digits_for(found.n))
    text = signed(found.value, digits) + unit
    if found.low is None or found.high is None:
        return text
    return f"{text} [{signed(found.low, digits)}, {signed(found.high, digits)}]"


def _said(claim: Claim) -> tuple[str, str]:
    return claim.text, claim.source


def _section(judged: Sequence[Judged], text: str, source: str) -> Section:
    """What is the same in all rows stands once, in the title."""
    columns: dict[str, list[str]] = {
        "claim": [relation_text(each.claim) for each in judged],
        "of": [_of(each) for each in judged],
        "difference": [difference_text(each) for each in judged],
        "runs": [_runs(each) for each in judged],
        "images": [_images(each) for each in judged],
        "verdict": [each.verdict for each in judged],
    }
    told = []
    for name, words in {"of": "", "runs": " runs", "images": " images"}.items():
        if len(alike := {*columns[name]} - {NONE}) < 2:
            del columns[name]
            told += [cell + words for cell in alike]
    head = " ".join(filter(None, [text or "Claims", f"({source})" if source else ""]))
    title = [*wrap(head, WIDTH), *wrap("; ".join(told), WIDTH)]
    rows = tuple(zip(*columns.values(), strict=True))
    return Section("\n".join(title), tuple(columns), rows)


def _of(judged: Judged) -> str:
    attack = judged.attacks[0] if len(judged.attacks) == 1 else None
    return measure_text(judged.claim, attack)


def _runs(judged: Judged) -> str:
    first, second = map(len, judged.seeds)
    if not first + second:
        return NONE
    return str(first) if judged.claim.method else f"{first} + {second}"


def _images(judged: Judged) -> str:
    return str(judged.difference.n) if judged.difference and judged.difference.n else NONE


def _caption(judged: Sequence[Judged]) -> list[str]:
    count = len(judged)
    each = f"{100 * judged[0].confidence:.4g} %"
    if count == 1:
        return [f"One claim: difference [{each} interval]."]
    return [f"{count} claims: difference [interval]; each of {each}, so that all hold with 95 %."]


def _footer(judged: Sequence[Judged]) -> list[str]:
    counts = {
        verdict: sum(each.verdict == verdict for each in judged)
        for verdict in dict.fromkeys([*VERDICTS, *(each.verdict for each in judged)])
    }
    claims = [each.claim for each in judged]
    kinds: set[str] = {c.measure if c.measure in ("cost", *PLAIN) else c.relation for c in claims}
    kinds = {kind.replace("equal", "better") for kind in kinds}
    lines = [*(text for kind, text in _MEANING.items() if kind in kinds), *_VERDICTS]
    for each in judged:
        if each.why:
            line = f"{relation_text(each.claim)}, {_of(each)}: {each.verdict}: {each.why}"
            lines += wrap(line, WIDTH, break_on_hyphens=False, subsequent_indent="  ")
    return [*lines, f"Claims: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}."]


def _entry(judged: Judged) -> dict[str, Any]:
    claim, found = judged.claim, judged.difference
    low, high = claim.region
    return {
        **{key: getattr(claim, key) for key in ("text", "source", "relation", "first", "second")},
        **{key: getattr(claim, key) for key in ("method", "measure", "analysis", "number", "by")},
        "unit": judged.unit or None,
        "attacks": list(judged.attacks) or ([claim.attack] if claim.attack else []),
        "eps": claim.eps.text if claim.eps else None,
        "eps_value": float(claim.eps) if claim.eps else None,
        "above": low,
        "below": None if high == float("inf") else high,
        "verdict": judged.verdict,
        "why": judged.why or None,
        "difference": rounded(found.value) if found else None,
        "low": rounded(found.low) if found else None,
        "high": rounded(found.high) if found else None,
        "confidence": rounded(judged.confidence),
        "images": found.n if found and found.n else None,
        "seeds": [list(seeds) for seeds in judged.seeds],
        "machine": judged.on or None,
        "checks": judged.checks or None,
    }


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    first, second = entry["seeds"]
    kept = {key: value for key, value in entry.items() if key not in ("seeds", "attacks")}
    return {
        "statement": "claim",
        **kept,
        "attack": " and ".join(entry["attacks"]) or None,
        "runs_first": len(first),
        "runs_second": len(second),
    }
