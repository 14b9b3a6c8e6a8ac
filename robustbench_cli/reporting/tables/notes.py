"""What a reader must know before believing a table; each note ends with the remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.labels import differences, group_of
from robustbench_cli.reporting.numbers.paths import short_paths
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.runs.robustbench import find_entry
from robustbench_cli.runs.run import Run

from .cells import SMOOTHED, listing


def notes(
    runs: Sequence[Run], frame: pd.DataFrame, curves: Sequence[Curve], by: str = "method"
) -> list[str]:
    """One line each, most serious first; empty where there is nothing to say."""
    return [
        *_views(curves),
        *_settings(runs, by),
        *_missing(runs, frame, by),
        *_repeated(runs, by),
        *recorded(frame),
        *(_few_runs(curves) if by not in ("run", "seed") else ()),
        *_samples(frame),
        *_grids(frame, curves),
        *_several(frame),
        *published(runs),
    ]


def published(runs: Sequence[Run]) -> list[str]:
    """What RobustBench says of networks that are entries of its list."""
    named = dict.fromkeys(zoo for run in runs if (zoo := run.config.get("zoo")))
    lines = []
    for text in named:
        try:
            lines.append(find_entry(str(text)).published())
        except UsageError:  # of a list that is not ours
            continue
    return lines


def _views(curves: Sequence[Curve]) -> list[str]:
    views = sorted({curve.view for curve in curves})
    if len(views) < 2:
        return []
    return [
        f"attacks on the {' and the '.join(views)} network stand side by side; "
        "compare within one view"
    ]


def _settings(runs: Sequence[Run], by: str) -> list[str]:
    keys = [key.replace("_", "-") for key in differences(runs, by)]
    if not keys or by == "run":
        return []
    return [f"the runs differ in more than {by}: {', '.join(keys)}; compare like with like"]


def _missing(runs: Sequence[Run], frame: pd.DataFrame, by: str) -> list[str]:
    attacked = set(frame["run"])
    bare = list(dict.fromkeys(run.name for run in runs if run.name not in attacked))
    found = []
    if bare:
        are = "were not attacked and are" if len(bare) > 1 else "was not attacked and is"
        found.append(f"{listing(bare)} {are} left out; attack: robustmix sweep-epsilon RUN")
    sizes = dict(frame.groupby("group", sort=False)["run"].nunique())
    for (attack, view), part in frame.groupby(["attack", "view"], sort=False):
        if view == SMOOTHED:  # speaks of the bare network, whatever stands before it elsewhere
            continue
        have = part.groupby("group")["run"].nunique()
        lacking = frame.loc[~frame["group"].isin(have.index), "label"].unique()
        if len(lacking):
            found.append(f"{listing(lacking)}: not attacked by {attack}; type -a {attack}")
        for group, count in have.items():
            if count < sizes[group]:
                label = part.loc[part["group"] == group, "label"].iloc[0]
                found.append(
                    f"{label}: {count} of {sizes[group]} runs were attacked by {attack}; "
                    f"type -a {attack} for the rest"
                )
    return found


def _repeated(runs: Sequence[Run], by: str) -> list[str]:
    seen: dict[tuple[str, object], Run] = {}
    found = []
    for run in runs:
        first = seen.setdefault((group_of(run, by), run.config.get("seed")), run)
        if first.path.resolve() != run.path.resolve():
            found.append(
                f"{run.path} repeats {first.path}, settings and seed; it is no further evidence "
                "and left out"
            )
    return found


def _few_runs(curves: Sequence[Curve]) -> list[str]:
    most: dict[str, int] = {}
    seeded = set()
    for curve in curves:
        most[curve.label] = max(len(curve.runs), most.get(curve.label, 0))
        if any(seed is not None for seed in curve.seeds):
            seeded.add(curve.label)
    ones, twos = ([label for label, n in most.items() if n == count] for count in (1, 2))
    found = []
    if ones:
        have, band = ("has", "its band is") if len(ones) == 1 else ("have", "their bands are")
        more = "; train more: --seeds 5" if seeded & {*ones} else ""  # not somebody else's weights
        found.append(f"{listing(ones)} {have} 1 run: {band} test-sampling error only{more}")
    if twos:
        have = "has" if len(twos) == 1 else "have"
        found.append(
            f"{listing(twos)} {have} 2 runs: too few for an interval; train more: --seeds 5"
        )
    return found


def _samples(frame: pd.DataFrame) -> list[str]:
    found, short = [], short_paths(frame["data"])
    for data, part in frame.groupby("data", sort=False):
        low, high = part["n"].min(), part["n"].max()
        if low != high:
            found.append(
                f"{short(str(data))}: some accuracies are of {low} images, others of up to {high}; "
                "attack all with the same --samples"
            )
    return found


def _grids(frame: pd.DataFrame, curves: Sequence[Curve]) -> list[str]:
    found = []
    for (label, attack), part in frame.groupby(["label", "attack"], sort=False):
        counts = part.groupby(["view", "eps_value"])["run"].nunique()
        dropped = int((counts < part["run"].nunique()).sum()) if part["view"].nunique() == 1 else 0
        if dropped:
            found.append(
                f"{label}, {attack}: {dropped} epsilons that not all of its runs have are left "
                "out; sweep all runs over one --eps-range"
            )
    for attack in dict.fromkeys(curve.attack for curve in curves):
        grids = {curve.epsilons for curve in curves if curve.attack == attack}
        if len(grids) > 1:
            found.append(
                f"{attack}: the grids of epsilons differ, so areas and epsilons at half are not "
                "comparable; sweep all runs over one --eps-range"
            )
    return found


def _several(frame: pd.DataFrame) -> list[str]:
    several = frame[frame["evaluations"] > 1]
    return [
        f"{listing(part['run'].unique())}: several evaluations by {attack}; for each epsilon the "
        "one with the most images counts, then the one with the largest grid"
        for attack, part in several.groupby("attack", sort=False)
    ]


_CHECKED = ("did not pass verification", "could not be attacked", "buffers changed")
"""Notes that a check speaks of."""


def recorded(frame: pd.DataFrame) -> list[str]:
    """What the attacks themselves noted; lines that differ only in numbers stand once."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    noted = frame[frame["notes"] != ""]
    for (attack, run), part in noted.groupby(["attack", "run"], sort=False):
        for line in filter(None, "\n".join(part["notes"].unique()).splitlines()):
            if any(words in line for words in _CHECKED):
                continue
            kind = re.sub(r"\d+", "#", line.partition(";")[0])
            found.setdefault((str(attack), kind), {}).setdefault(str(run), line)
    lines = []
    for (attack, _), by_run in found.items():
        (run, line), others = next(iter(by_run.items())), len(by_run) - 1
        more = f" (and so in {others} more run{'s' * (others > 1)})" if others else ""
        lines.append(f"{attack} on {run}: {line}{more}")
    return lines
