"""Transfers: what adversarials crafted on one network do to another, averaged over seeds.

Two accuracies, which answer different questions. Over *all* images: what the target gets right.
Over images that *both* classify correctly when unchanged: what the transfer itself broke. A source
that is its own target is a white-box attack; it is never averaged with transfers, also not with
those between two seeds of one method.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.runs.data_identity import refuse_mixed
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.intervals import wilson

from .frame import Attacks, select
from .labels import group_of, label_groups

COLUMNS = (
    *("source", "target", "source_label", "target_label", "white_box", "attack", "norm"),
    *("eps", "eps_value", "accuracy", "n", "accuracy_both", "n_both", "at_target", "aimed"),
)


@dataclass(frozen=True)
class Cell:
    """One source group shown to one target group, at one epsilon.

    accuracy: of the target over all `n` images. accuracy_both: over the `n_both` images that both
    classify correctly when unchanged, NaN if there are none. at_target: of targeted attacks, the
    share of the `aimed` images of other classes that the target takes for the class aimed at, NaN
    of others. They are means over `pairs` of runs, n, n_both and aimed sums over them. low, high
    and so on: Wilson's intervals where there is one pair; several pairs share runs, so nothing
    simple can be said of them.
    """

    attack: str
    norm: str
    eps: Eps
    source: str
    target: str
    white_box: bool
    accuracy: float
    accuracy_both: float
    low: float | None
    high: float | None
    both_low: float | None
    both_high: float | None
    n: int
    n_both: int
    pairs: int
    at_target: float = nan
    at_target_low: float | None = None
    at_target_high: float | None = None
    aimed: int = 0


def collect_transfers(
    runs: Sequence[Run],
    *,
    by: str = "method",
    attack: Attacks = None,
    targets: Sequence[Run] = (),
) -> pd.DataFrame:
    """One row per source run, target run, attack and epsilon; sources are `runs`.

    `targets`: only these; as a rule all that the adversarials were shown to.
    """
    found = [(run, e) for run in runs for e in run.transfers()]
    known = {run.name: run for run in (*runs, *targets)}
    for run, evaluation in found:
        _add_sibling(known, run, evaluation.record["target"])
    about_data = ((r.path, r.config["data"], r.record.get("data") or {}) for r in known.values())
    refuse_mixed(about_data)
    groups = label_groups(known.values(), by)
    labels = {name: groups[group_of(run, by)] for name, run in known.items()}
    wanted = {run.name for run in targets}
    frames = []
    for run, evaluation in found:
        target = str(evaluation.record["target"])
        if not wanted or target in wanted:
            about: dict[str, Any] = {"source": run.name, "source_label": labels[run.name]}
            about |= {"target": target, "target_label": labels.get(target, target)}
            about |= {"white_box": bool(evaluation.record.get("white_box", target == run.name))}
            about |= {"attack": evaluation.attack, "norm": evaluation.norm}
            frames.append(_rows(evaluation).assign(**about, grid=len(evaluation.epsilons)))
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.sort_values(["n", "grid"], ascending=False, kind="stable").drop_duplicates(
        ["source", "target", "attack", "eps_value"]
    )
    frame = frame.sort_index()[list(COLUMNS)]
    chosen = select(frame["attack"].unique(), attack)
    return frame[frame["attack"].isin(chosen)].reset_index(drop=True)


def average(frame: pd.DataFrame, epsilons: Iterable[Eps] = ()) -> list[Cell]:
    """Over the seeds of source and target, for every attack in the order of the first rows.

    `epsilons`: none means one for each attack, the middle of those that most pairs share.

    Raises:
        RunError: there are no transfers.
        UsageError: nothing was transferred at a chosen epsilon.
    """
    if frame.empty:
        raise RunError("no transfers in these runs; type: robustmix transfer --source --target")
    chosen = list(epsilons)
    known = {Eps.parse(text) for text in frame["eps"].unique()}
    for eps in chosen:
        if eps not in known:
            listing = ", ".join(map(str, sorted(known)))
            raise UsageError(f"nothing was transferred at eps {eps}; there are: {listing}")
    cells: list[Cell] = []
    places = [[*frame[column].unique()].index for column in ("source_label", "target_label")]
    for _, part in frame.groupby("attack", sort=False):
        for eps in chosen or [_middle(part)]:
            here = part[part["eps_value"] == float(eps)]
            by_pair = here.groupby(["source_label", "target_label", "white_box"], sort=False)
            found = [_cell(pairs, eps) for _, pairs in by_pair]
            cells += sorted(found, key=lambda c: (places[0](c.source), places[1](c.target)))
    return cells


def _cell(pairs: pd.DataFrame, eps: Eps) -> Cell:
    first = pairs.iloc[0]
    n, accuracy = int(pairs["n"].sum()), float(pairs["accuracy"].mean())
    n_both, both = int(pairs["n_both"].sum()), float(pairs["accuracy_both"].mean())
    single = len(pairs) == 1
    low, high = wilson(round(accuracy * n), n) if single else (None, None)
    both_low, both_high = (
        wilson(round(both * n_both), n_both) if single and n_both else (None, None)
    )
    aimed, reached = int(pairs["aimed"].sum()), float(pairs["at_target"].mean())
    hit_low, hit_high = wilson(round(reached * aimed), aimed) if single and aimed else (None, None)
    return Cell(
        attack=str(first["attack"]),
        norm=str(first["norm"]),
        eps=eps,
        source=str(first["source_label"]),
        target=str(first["target_label"]),
        white_box=bool(first["white_box"]),
        accuracy=accuracy,
        accuracy_both=both,
        low=low,
        high=high,
        both_low=both_low,
        both_high=both_high,
        n=n,
        n_both=n_both,
        pairs=len(pairs),
        at_target=reached,
        at_target_low=hit_low,
        at_target_high=hit_high,
        aimed=aimed,
    )


def _middle(part: pd.DataFrame) -> Eps:
    """Of the epsilons above 0 that most pairs share."""
    above = part[part["eps_value"] > 0]
    counts = (above if len(above) else part).groupby("eps_value")["eps"].agg(["size", "first"])
    shared = counts[counts["size"] == counts["size"].max()]
    return Eps.parse(str(shared["first"].iloc[len(shared) // 2]))


def _rows(evaluation: Evaluation) -> pd.DataFrame:
    """eps, eps_value, accuracy, n, accuracy_both, n_both, at_target, aimed of one pair."""
    rows, tally = [], evaluation.tally
    reached = tally.reached[1:] or (0,) * len(evaluation.epsilons)
    for eps, counts, hit in zip(evaluation.epsilons, tally.transferred, reached, strict=True):
        n, right, n_both, right_both = counts
        both = right_both / n_both if n_both else nan
        rate = hit / tally.aimed if tally.aimed else nan
        rows.append((eps.text, float(eps), right / n, n, both, n_both, rate, tally.aimed))
    return pd.DataFrame(rows, columns=list(COLUMNS[-8:]))


def _add_sibling(known: dict[str, Run], run: Run, name: str) -> None:
    """A target that is not among the runs is looked for beside its source, to know its method."""
    path = run.path.resolve().parent / Path(name).name
    if name not in known and (path / "run.json").is_file():
        known[name] = Run.open(path)
