"""Claims judged: supported, not supported, contradicted, or why there is no verdict.

A claim says where a difference lies: above a margin, or, of equals, within one. It is supported
where the whole interval of our difference lies there, contradicted where none of it does, and
otherwise not supported. The claims of a file are judged together: each interval has the confidence
1 - 0.05 / claims (Bonferroni), so that all of them hold at once with 95 %, and verdict and interval
can never disagree. (Holm's procedure rejects a little more, but has no intervals to show.) Claims
whose data is missing are counted as well, so that a verdict does not change when the rest arrives.

Differences of accuracies are those of `compare`: a bootstrap over images and runs. Of one run each
it knows of images only, which is no verdict on methods. Cost is a ratio of seconds of training on
one machine. Numbers of analyses and validation losses are compared over seeds (Welch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean
from typing import Literal

from robustbench_cli.reporting.statements import PLAIN, Claim
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.intervals import difference_interval, ratio_interval
from robustbench_cli.trust.check import Finding
from robustbench_cli.trust.examine import Subject, level_of

from .compare import Difference, Pair
from .named import Known, LackingError
from .paths import short_paths
from .summary import Curve

Verdict = Literal[
    "supported", "not supported", "contradicted", "worthless", "missing", "no verdict"
]
VERDICTS: tuple[Verdict, ...] = ("supported", "not supported", "contradicted")
_MORE = "train more: --seeds 5"

Seeds = tuple[int | None, ...]


@dataclass(frozen=True)
class Judged:
    """`difference`: what the claim calls positive, in shares; None where it is worth nothing.

    `why`: where the verdict is none of `VERDICTS`. `attacks`, `seeds`: of both sides. `on`: the
    machine, of cost. `unit`: of a number of an analysis. `checks`: the worst that they say of the
    runs.
    """

    claim: Claim
    verdict: Verdict
    confidence: float
    why: str = ""
    difference: Difference | None = None
    attacks: tuple[str, ...] = ()
    seeds: tuple[Seeds, Seeds] = ((), ())
    on: str = ""
    unit: str = ""
    checks: str = ""


def judge(runs: Sequence[Run], claims: Sequence[Claim]) -> list[Judged]:
    """Each of the claims, which are corrected for being as many.

    Raises:
        UsageError: groups by a setting that no run has.
    """
    confidence = 1 - 0.05 / max(1, len(claims))
    known = Known(runs)
    return [_judge(known, claim, confidence) for claim in claims]


def verdict_of(low: float, high: float, region: tuple[float, float]) -> Verdict:
    """Whether an interval lies inside of an open region, outside of it, or on its edge."""
    start, stop = region
    if start < low and high < stop:
        return "supported"
    return "contradicted" if high < start or stop < low else "not supported"


def _judge(known: Known, claim: Claim, confidence: float) -> Judged:
    try:
        if claim.measure == "cost":
            return _cost(known, claim, confidence)
        if claim.measure in PLAIN:
            return _number(known, claim, confidence)
        return _accuracy(known, claim, confidence)
    except LackingError as e:
        return Judged(claim, "missing", confidence, str(e))


def _accuracy(known: Known, claim: Claim, confidence: float) -> Judged:
    first, second = _sides(known, claim)
    both = (first, second)
    attacks = tuple(dict.fromkeys(curve.attack for curve in both))
    if first.norm != second.norm:
        why = f"epsilons of {first.norm} and {second.norm} are different distances [norms-mixed]"
        return Judged(claim, "worthless", confidence, why, attacks=attacks)
    for key in ("data", "view"):
        one, other = getattr(first, key), getattr(second, key)
        if one != other:
            one, other = map(short_paths([one, other]), (one, other))
            raise LackingError(f"{first.label} and {second.label} differ in {key}: {one}, {other}")
    found = _failures(known, claim, both)
    if found:
        return Judged(claim, "worthless", confidence, found, attacks=attacks, checks="failed")
    sides = known.pair(first, second, claim.by)
    if sides is None:
        raise LackingError("no image that all runs of both sides were shown")
    difference = _difference(sides, claim, confidence)
    levels = {
        level_of(known.findings(claim.by, attack), curve.runs, curve.defence, curve.view)
        for curve, attack in zip(both, _attacks(claim), strict=True)
    }
    return Judged(
        claim,
        *_verdict(difference, claim, confidence, sides.runs),
        difference,
        attacks,
        (_seeds(first, second), _seeds(second, first)),
        checks=next((level for level in ("failed", "warned", "passed") if level in levels), ""),
    )


def _sides(known: Known, claim: Claim) -> tuple[Curve, Curve]:
    """Minuend and subtrahend of the difference."""
    if claim.method is None:
        first, second = (known.curve(claim, n, claim.attack) for n in (claim.first, claim.second))
        if first.group == second.group:
            raise LackingError(f"{claim.first} and {claim.second} are both {first.label}")
        return first, second
    strong, weak = (known.curve(claim, claim.method, a) for a in (claim.first, claim.second))
    if strong.attack == weak.attack:
        raise LackingError(f"{claim.first} and {claim.second} are both {strong.attack}")
    return weak, strong  # a stronger attack leaves less


def _seeds(curve: Curve, other: Curve) -> Seeds:
    """Of its runs; of one group under two attacks, of those that withstood both."""
    alone = curve.group != other.group
    pairs = zip(curve.runs, curve.seeds, strict=True)
    return tuple(seed for run, seed in pairs if alone or run in other.runs)


def _attacks(claim: Claim) -> tuple[str | None, str | None]:
    """What was asked for, in the order of the sides."""
    return (claim.second, claim.first) if claim.method else (claim.attack, claim.attack)


def _difference(sides: Pair, claim: Claim, confidence: float) -> Difference:
    if claim.measure == "area":
        found = sides.area(confidence)
        if found is None:
            raise LackingError("fewer than three epsilons that both sides have: no area")
        return found
    eps = claim.eps or sides.epsilons[0]
    if eps not in sides.epsilons:
        listing = ", ".join(map(str, sides.epsilons))
        raise LackingError(f"no accuracies of both at eps {eps}; there are: {listing}")
    return sides.at(eps, confidence)


def _verdict(
    difference: Difference, claim: Claim, confidence: float, runs: tuple[int, int]
) -> tuple[Verdict, float, str]:
    low, high = difference.low, difference.high
    if low is None or high is None:
        counts = " and ".join(map(str, runs))
        why = f"{counts} runs: an interval needs three on either side; {_MORE}"
        return "no verdict", confidence, why
    verdict = verdict_of(low, high, claim.region)
    if max(runs) == 1:
        why = f"one run each: {verdict} on these images alone, which says nothing of other seeds"
        return "no verdict", confidence, f"{why}; {_MORE}"
    return verdict, confidence, ""


def _failures(known: Known, claim: Claim, sides: Sequence[Curve]) -> str:
    """The first failed check that speaks against the claim, and of how many runs one does."""
    found: dict[Subject, Finding] = {}
    for curve, attack in zip(sides, _attacks(claim), strict=True):
        findings = known.findings(claim.by, attack)
        for name in curve.runs:
            for finding in findings.get(Subject.of(name, curve.defence, curve.view), ()):
                if finding.level == "failure" and _matters(known, claim, curve, finding):
                    found.setdefault(Subject.of(name, curve.defence, curve.view), finding)
    if not found:
        return ""
    (subject, first), *others = found.items()
    more = f" (or another check, in {len(others)} more run{'s' * (len(others) > 1)})"
    return f"{first.text} [{first.check}], {subject}{more if others else ''}"


def _matters(known: Known, claim: Claim, curve: Curve, finding: Finding) -> bool:
    """Whether what failed speaks of this number at all: see `About`."""
    if finding.about == "network":
        return True
    if claim.measure == "clean":
        return False
    if finding.about == "attack":
        return True
    records = [
        evaluation.record
        for run in known.runs
        if run.name in curve.runs
        for evaluation in run.evaluations()
        if evaluation.attack == curve.attack
    ]
    if finding.about == "one step":
        return any(record.get("one_step") for record in records)
    return any(record.get("access", "gradient") == "gradient" for record in records)


def _cost(known: Known, claim: Claim, confidence: float) -> Judged:
    """How much more the second costs, on the machine that trained most of both."""
    (one, cheap), (other, dear) = (known.cost(claim, n) for n in (claim.first, claim.second))
    if one == other:
        raise LackingError(f"{claim.first} and {claim.second} are both {one}")
    machines = [machine for machine in cheap if machine in dear]
    if not machines:
        raise LackingError(f"{one} and {other} were never trained on one machine")
    on = max(machines, key=lambda machine: min(len(cheap[machine]), len(dear[machine])))
    below, above = list(cheap[on].values()), list(dear[on].values())
    seeds = {run.name: run.config.get("seed") for run in known.runs}
    interval = ratio_interval(above, below, confidence)
    ratio = (geometric_mean(above) / geometric_mean(below)) - 1
    low, high = (None, None) if interval is None else (interval[0] - 1, interval[1] - 1)
    difference = Difference(ratio, low, high, None, 0)
    return Judged(
        claim,
        *_verdict(difference, claim, confidence, (len(below), len(above))),
        difference,
        seeds=(tuple(seeds[n] for n in cheap[on]), tuple(seeds[n] for n in dear[on])),
        on=on,
    )


def _number(known: Known, claim: Claim, confidence: float) -> Judged:
    """How much more, or less, an analysis finds of the first; or how much less it loses."""
    look = known.number if claim.measure == "number" else known.validation_loss
    first, second = (look(claim, name) for name in (claim.first, claim.second))
    if first.label == second.label:
        raise LackingError(f"{claim.first} and {claim.second} are both {first.label}")
    if first.unit == "share":
        claim = replace(claim, margin=claim.margin / 100)
    sign = -1 if claim.lower else 1
    above, below = ([sign * value for value in s.estimate.values] for s in (first, second))
    low, high = difference_interval(above, below, confidence) or (None, None)
    value = sign * (first.estimate.value - second.estimate.value)
    difference = Difference(value, low, high, None, 0)
    seeds = {run.name: run.config.get("seed") for run in known.runs}
    return Judged(
        claim,
        *_verdict(difference, claim, confidence, (len(above), len(below))),
        difference,
        seeds=(tuple(seeds[n] for n in first.runs), tuple(seeds[n] for n in second.runs)),
        unit=first.unit,
    )
