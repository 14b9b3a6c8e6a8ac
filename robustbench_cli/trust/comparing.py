"""Which evaluations may be set against each other, and whether one breaks more than the other.

Every check that compares two evaluations does so through here. They are comparable where one
network was attacked (the same weights, seen in the same way, behind the same defence), within balls
of one norm, for one goal, counting adversarials by one rule, on samples that both have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import pandas as pd
from scipy.special import bdtr

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation

SURE = 0.01
"""A difference on the same samples is believed below this p (one-sided sign test)."""
FEW_STEPS = 10
"""A gradient attack of fewer is not asked to keep up with attacks that work longer."""


def shared(
    firsts: Iterable[Evaluation], seconds: Iterable[Evaluation]
) -> Iterator[tuple[Evaluation, Evaluation, Eps]]:
    """Comparable pairs, at each epsilon above 0 that both have."""
    for first, second in product(firsts, seconds):
        if first is second or not comparable(first, second):
            continue
        for eps in first.epsilons:
            if eps.value and eps in second.epsilons:
                yield first, second, eps


def comparable(first: Evaluation, second: Evaluation) -> bool:
    """What the head of this file says; what costs rows to see is asked last."""
    return (
        first.norm == second.norm
        and view(first) == view(second)
        and _rule(first) == _rule(second)
        and one_network(first, second)
        and _overlap(first, second)
        and one_goal(first, second)
    )


def view(evaluation: Evaluation) -> object:
    """What was attacked: the network bare or deployed, and the defence put before it."""
    identity = evaluation.record.get("identity", {})
    return identity.get("view"), identity.get("defence")


def one_network(first: Evaluation, second: Evaluation) -> bool:
    """Not two: a run that was trained anew may still hold what was done to its old weights."""
    weights = [_weights(evaluation) for evaluation in (first, second)]
    return None in weights or weights[0] == weights[1]


def one_goal(first: Evaluation, second: Evaluation) -> bool:
    """Whether both only want a mistake, or the same class at each sample that both have.

    To reach a given class is harder than to leave one, so other pairs say nothing of gradients.
    """
    aim = [evaluation.tally.targeted for evaluation in (first, second)]
    if not all(aim):
        return not any(aim)
    one, other = (_once(evaluation)["target"] for evaluation in (first, second))
    both = one.index.intersection(other.index)
    return bool((one[both] == other[both]).all())


def hasty(evaluation: Evaluation) -> bool:
    """Whether a gradient attack takes so few steps that one with more to spend may well beat it."""
    given = evaluation.record.get("parameters", {})
    steps = given.get("steps")
    return bool(evaluation.record.get("one_step") or (steps and steps < FEW_STEPS))


def blindly(evaluation: Evaluation) -> bool:
    """Whether an attack asks the network nothing, itself or on another one: noise."""
    record = evaluation.record
    crafted = "source" in record or "attack" in record.get("parameters", {})
    return record.get("access") == "none" and not crafted


def lead(higher: Evaluation, lower: Evaluation, eps: Eps) -> float:
    """`above` at one epsilon of two evaluations, or 0; their counts mostly say so without rows."""
    same = higher.tally.images == lower.tally.images
    if same and accident(_right(higher, eps) - _right(lower, eps)):
        return 0.0
    return above(right(higher, eps), right(lower, eps)) or 0.0


def accuracies(first: Evaluation, second: Evaluation, eps: Eps) -> tuple[float, float, float]:
    """On the samples that both have: clean, of the first and of the second at an epsilon."""
    if first.tally.images == second.tally.images:
        return first.clean_accuracy, _right(first, eps) / first.n, _right(second, eps) / second.n
    one, other, unchanged = right(first, eps), right(second, eps), _once(first)
    both = one.index.intersection(other.index)
    clean = unchanged["clean"] == unchanged["label"]
    return float(clean[both].mean()), float(one[both].mean()), float(other[both].mean())


def right(evaluation: Evaluation, eps: Eps) -> pd.Series:
    """Index: sample; True where the prediction at `eps` is right."""
    (text,) = (e.text for e in evaluation.epsilons if e == eps)
    return evaluation.correct()[text]


def accident(gap: int) -> bool:
    """Whether so many more right ones are chance by the sign test, whichever samples they are."""
    return gap <= 0 or 0.5**gap >= SURE  # p is least where none of the others was broken


def above(higher: pd.Series, lower: pd.Series) -> float | None:
    """By how much accuracy is higher on the samples both have, if that is no accident."""
    both = higher.index.intersection(lower.index)
    a, b = higher[both], lower[both]
    more, less = int((a & ~b).sum()), int((b & ~a).sum())
    if more <= less or float(bdtr(less, more + less, 0.5)) >= SURE:
        return None
    return float(a.mean() - b.mean())


def _right(evaluation: Evaluation, eps: Eps) -> int:
    return evaluation.tally.right[evaluation.epsilons.index(eps)]


def _once(evaluation: Evaluation) -> pd.DataFrame:
    """Index: sample; the columns that are the same at every epsilon."""
    return evaluation.samples.drop_duplicates("index").set_index("index")


def _overlap(first: Evaluation, second: Evaluation) -> bool:
    same = first.tally.images == second.tally.images
    return same or bool(set(first.samples["index"]) & set(second.samples["index"]))


def _rule(evaluation: Evaluation) -> bool:
    """Whether an adversarial counts only if it survives rounding to 8 bits."""
    return bool(evaluation.record.get("identity", {}).get("eight_bit"))


def _weights(evaluation: Evaluation) -> str | None:
    """Of the network that was shown the images; None where the record does not say."""
    weights = evaluation.record.get("identity", {}).get("weights")
    if isinstance(weights, dict):  # of a transfer, by name
        weights = weights.get(evaluation.record.get("target"))
    return weights if isinstance(weights, str) else None


def twice_as_strong(evaluation: Evaluation, tried: float) -> float:
    """How many of so many survivors fall to the attack itself when it is twice as strong.

    Both signals begin with the most doubtful ones; where this one looked at fewer, the rest is
    taken to fall as often.
    """
    seen = evaluation.record["signals"].get("convergence", {})
    broken, of = seen.get("broken", 0), seen.get("tried", 0)
    return float(broken * max(1.0, tried / of)) if of else 0.0
