"""What was tried to find each champion, and how much the choice would have flattered it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from robustbench_cli.reporting.contests import Contest, Tried, behind
from robustbench_cli.reporting.formats.document import FORMAT, rounded
from robustbench_cli.reporting.formats.table import Section, Table
from robustbench_cli.reporting.numbers.summary import Estimate

from .cells import NONE, listing, percent

_FLATTERY = (
    "claimed: the best on test images, as it would be reported had it been chosen by them;",
    "fresh: the champion on test images with new seeds; optimism: claimed less fresh.",
)


def tried_table(contests: Sequence[Contest]) -> Table:
    """A section for each contest, a row for each setting; CSV and JSON hold the same numbers."""
    return Table(
        caption=_caption(contests),
        sections=(_champions(contests), *map(_section, contests)),
        footer=_footer(contests),
        frame=pd.DataFrame([row for contest in contests for row in _rows(contest)]),
        document={"format": FORMAT, "selection": [_entry(contest) for contest in contests]},
        notes=[
            f"{contest.family}: no setting was measured with all its seeds, so none is champion"
            for contest in contests
            if contest.champion is None
        ],
    )


def with_champions(table: Table, contests: Sequence[Contest]) -> Table:
    """A report on champions that says what they were chosen from; its CSV stays what it is."""
    tried = tried_table(contests)
    return replace(
        table,
        caption=(*table.caption, *tried.caption),
        sections=(*table.sections, _champions(contests)),
        footer=(*tried.footer, *table.footer),
        document={**table.document, "selection": tried.document["selection"]},
        notes=[*table.notes, *tried.notes],
    )


def _caption(contests: Sequence[Contest]) -> tuple[str, ...]:
    measures = listing(dict.fromkeys(str(c.measure) for c in contests if c.measure and c.open))
    chosen = [tried for contest in contests if contest.open for tried in contest.tried]
    seeds = listing(dict.fromkeys(seed for tried in chosen for seed in _seeds(tried)), 10)
    return (
        f"Chosen on validation images, held out of the training; seeds {seeds}.",
        *([f"Measure: {measures}."] if measures else []),
    )


def _footer(contests: Sequence[Contest]) -> tuple[str, ...]:
    lines = ["Of equal settings the one that is listed first wins."]
    if any(contest.claimed for contest in contests):
        lines += _FLATTERY
    else:
        lines.append("What choosing by test images would have claimed was not measured.")
    return tuple(lines)


def _section(contest: Contest) -> Section:
    """From the best setting to the worst; without a number those that did not finish."""
    columns: dict[str, list[str]] = {
        "setting": [each.label for each in contest.tried],
        "validation": [_text(contest, each.value) for each in contest.tried],
        "behind": [_behind(contest, each) for each in contest.tried],
    }
    if any(each.test for each in contest.tried):
        columns["test, same seeds"] = [_text(contest, each.test) for each in contest.tried]
    if any(each.fresh for each in contest.tried):
        columns["test, fresh seeds"] = [_text(contest, each.fresh) for each in contest.tried]
    title = f"{contest.family}, {len(contest.tried)} tried"
    return Section(title, tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _champions(contests: Sequence[Contest]) -> Section:
    """A row for each contest."""
    best = [contest.champion for contest in contests]
    columns: dict[str, list[str]] = {
        "champion": [
            each.label if each else f"{contest.family}: none"
            for contest, each in zip(contests, best, strict=True)
        ],
        "tried": [str(len(contest.tried)) for contest in contests],
        "validation": [
            _text(contest, each.value if each else None)
            for contest, each in zip(contests, best, strict=True)
        ],
        "ahead of": [contest.second.label if contest.second else NONE for contest in contests],
        "by": [_number(contest, contest.lead) for contest in contests],
    }
    if any(contest.claimed for contest in contests):
        columns["claimed"] = [
            _text(contest, contest.claimed.test if contest.claimed else None)
            for contest in contests
        ]
        columns["fresh"] = [
            _text(contest, each.fresh if each else None)
            for contest, each in zip(contests, best, strict=True)
        ]
        columns["optimism"] = [_number(contest, contest.optimism, "+") for contest in contests]
    title = "Champions, chosen on validation images"
    return Section(title, tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _behind(contest: Contest, tried: Tried) -> str:
    if tried is contest.champion:
        return "champion"
    if tried.value is None:
        return "not finished"
    return _number(contest, behind(contest, tried))


def _text(contest: Contest, estimate: Estimate | None) -> str:
    if estimate is None or contest.measure is None or contest.measure.quantity != "half":
        return percent(estimate)
    return f"{estimate.value:.4f}"


def _number(contest: Contest, value: float | None, sign: str = "") -> str:
    """A difference, in points where the measure is a percentage."""
    if value is None:
        return NONE
    half = contest.measure is not None and contest.measure.quantity == "half"
    text = f"{value:{sign}.4f}" if half else f"{100 * value:{sign}.1f}"
    return text.replace("-", "−")


def _rows(contest: Contest) -> Iterable[dict[str, Any]]:
    for rank, tried in enumerate(contest.tried, 1):
        measure = contest.measure
        yield {
            "family": contest.family,
            "setting": tried.label,
            **{key: tried.config.get(key) for key in ("data", "model", "method")},
            "rank": rank if tried.value or not contest.open else None,
            "champion": tried is contest.champion,
            "measure": measure.quantity if measure else None,
            "attack": measure.attack if measure else None,
            "eps": measure.eps.text if measure and measure.quantity == "accuracy" else None,
            "seeds": " ".join(map(str, _seeds(tried) if contest.open else [])),
            **_spread("validation", tried.value),
            "behind": rounded(behind(contest, tried)),
            **_spread("test", tried.test),
            **_spread("fresh", tried.fresh),
        }


def _entry(contest: Contest) -> dict[str, Any]:
    champion, claimed = contest.champion, contest.claimed
    return {
        "family": contest.family,
        "measure": str(contest.measure) if contest.measure else None,
        "champion": champion.label if champion else None,
        "second": contest.second.label if contest.second else None,
        "lead": rounded(contest.lead),
        "claimed": rounded(claimed.test.value) if claimed and claimed.test else None,
        "claimed_by": claimed.label if claimed else None,
        "optimism": rounded(contest.optimism),
        "tried": list(_rows(contest)),
    }


def _spread(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    numbers = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), map(rounded, numbers), strict=True))


def _seeds(tried: Tried) -> list[int]:
    return [run.config["seed"] for run in tried.runs if run.config.get("seed") is not None]
