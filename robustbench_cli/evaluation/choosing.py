"""Look at what every reading of somebody's weights answers, and attack those that are possible.

Costs a forward pass of some thousand training images for each reading that stays possible, and,
where there are several, ten steps (or fifty queries) on up to a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.models.guessing import CLEAN, Guess, Judged, Seen, ahead, near_chance, possible
from robustbench_cli.models.model import Model
from robustbench_cli.models.readings import FIRST, Looked, Reading, look, options, probes
from robustbench_cli.statistics.intervals import half_width

from .attack import Attack
from .evaluate import evaluate_model
from .scheduling.schedules import ScheduleName

_GRADIENT = {
    "linf": "linf-pgd:steps=10",
    "l2": "l2-pgd:steps=10",
    "l1": "l1-pgd:steps=10",
    "l0": "l0-fmn:steps=20",
}
_BLIND = {"linf": "linf-square:queries=50", "l2": "l2-square:queries=50"}
USUAL = _GRADIENT["linf"]
ATTACKED = (100, 1000)  # images for the short attack: as many as the number is of, within these
_RECORDED = 12  # readings, likeliest first; of a chain of layers there are hundreds
_SEVERAL = 3  # epsilons; of more, only those where a sample breaks are attacked


class Numbers(NamedTuple):
    """Which numbers a short attack stands for: at these epsilons, rising, of n images."""

    epsilons: tuple[Eps, ...]
    n: int


class Choice(NamedTuple):
    """All readings with what they answer to the probes, likeliest first; the guess on record."""

    looked: Sequence[Looked]
    images: Images
    guess: Guess

    @property
    def reading(self) -> Reading:
        return self.looked[0].reading


def choose(
    read: Sequence[Reading],
    place: Callable[[Reading], Model],
    train: Images,
    test: Images,
    numbers: Mapping[str, Numbers],
    insisted: bool = False,
) -> Choice:
    """The likeliest reading. `guess.matters` says whether another one would give other numbers.

    `place` gives the network of a reading, on the device of the images. `numbers`, by short attack
    (:func:`short_attacks`), are those to come. Nothing is chosen by `test` images: they say how
    wide the interval of the clean accuracy will be.
    """
    images = probes(train) if len(read) > 1 else probes(train)[:FIRST]
    looked = look(read, place, images)
    still = _usual(looked, possible([each.right for each in looked]))
    lost = near_chance(looked[still[0]].right, int(images.labels.max()) + 1)
    if lost:  # then hundreds may be left, and it is refused
        still = still[:_RECORDED]
    rest = sorted(set(range(len(looked))) - {*still}, key=lambda i: -looked[i].right.mean())
    looked = [looked[i] for i in (*still, *rest)]
    shown = options([each.reading for each in looked[: len(still)]])
    shown += options([each.reading for each in looked])[len(still) :]
    seen = [
        Seen(shown[i], int(each.right.sum()), len(each.right), i < len(still))
        for i, each in enumerate(looked[: max(len(still), _RECORDED)])
    ]
    judged = []
    if len(still) > 1 and not lost:
        most = max(asked.n for asked in numbers.values())
        judged += _clean(looked[: len(still)], place, test[:most])
        for attack, (epsilons, n) in numbers.items():
            some = images[: min(max(n, ATTACKED[0]), ATTACKED[1])]
            left = [
                withstand(place(each.reading), some, attack, epsilons)
                for each in looked[: len(still)]
            ]
            judged += [
                Judged(attack.partition("-")[0], eps.text, n, attack, len(some), accuracy)
                for eps, accuracy in zip(epsilons, zip(*left, strict=True), strict=True)
            ]
    return Choice(looked, images, Guess(tuple(seen), tuple(judged), insisted))


def _clean(
    looked: Sequence[Looked], place: Callable[[Reading], Model], test: Images
) -> list[Judged]:
    """The clean accuracy, if the readings differ by more than its interval on these test images.

    That goes by the test accuracy: of training images nearly all may be right, which narrows it.
    """
    shares = tuple(float(each.right.mean()) for each in looked)
    found = Judged("", "0", len(test), CLEAN, len(looked[0].right), shares)
    if found.tie:
        return []
    printed = float(look([looked[0].reading], place, test)[0].right.mean())
    return [found] if found.gap > half_width(printed, len(test)) else []


def unjudged(
    numbers: Mapping[str, Numbers], judged: Sequence[Mapping[str, Any]]
) -> dict[str, Numbers]:
    """What is left of `numbers` without those that were judged before, at least as strictly."""
    known = {(j["attack"], j["eps"]): j["n"] for j in judged}
    left = {
        attack: asked._replace(
            epsilons=tuple(e for e in asked.epsilons if known.get((attack, e.text), 0) < asked.n)
        )
        for attack, asked in numbers.items()
    }
    return {attack: asked for attack, asked in left.items() if asked.epsilons}


def _usual(looked: Sequence[Looked], still: Sequence[int]) -> list[int]:
    """Of networks that may all be meant, the least unusual: few activations are not ReLU.

    And behind them those that are surely better, if only by little, which may be meant as well.
    """
    odd = {i: looked[i].reading.architecture.oddities for i in still}
    usual = [i for i in still if odd[i] == min(odd.values())]
    best = looked[usual[0]].right
    return usual + [i for i in still if i not in usual and ahead(looked[i].right, best)]


def short_attacks(attack: Attack) -> list[str]:
    """What shows at a glance what this one will find; empty where its changes have no norm.

    They need not find the worst: all readings face the same. An attack without gradients is not
    fooled by those that a network hides, so one without them stands for it; and both for the union.
    """
    found = [_GRADIENT[attack.norm]] if attack.norm in _GRADIENT else []
    blind = [_BLIND[attack.norm]] if attack.norm in _BLIND else []
    if attack.name == "worst-case":
        return found + blind
    return blind if blind and attack.access != "gradient" else found


def withstand(
    model: nn.Module, images: Images, attack: str, epsilons: Sequence[Eps]
) -> tuple[float, ...]:
    """Accuracy at each epsilon, rising, under a short attack."""
    schedule: ScheduleName = "bisect" if len(epsilons) > _SEVERAL else "ascending"
    found = evaluate_model(model, images, attack, epsilons, schedule=schedule, audit=0)
    return tuple(found.accuracy()["accuracy"].tolist())
