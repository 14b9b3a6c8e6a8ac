"""How to attack, as plain data: which attack, at which epsilons, on which images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from . import device as devices
from .data.dataset import Dataset, Images
from .epsilon import Eps, eps_range, spell
from .errors import UsageError
from .evaluation.attack import Attack
from .evaluation.record import identify
from .evaluation.schedule import Schedule
from .spec import build
from .training.deploy import View


@dataclass(frozen=True)
class Probe:
    """Shared by attacking and transferring. `epsilons` are in pixels, by the attack's norm."""

    attack: str
    epsilons: tuple[Eps, ...]
    samples: int | None = None  # the first so many test images; None: all
    seed: int = 0
    schedule: Schedule = "ascending"
    view: View = "deployed"
    batch_size: int | None = None

    def images(self, data: str, root: Path, device: str) -> Images:
        """The test images of a data set that are attacked."""
        images = _test_images(data, root, device)
        return images[: self.samples] if self.samples else images

    def identity(self, images: Images, **more: Any) -> dict[str, Any]:
        """What the rows of this attack on these images depend on, and `more`."""
        return identify(
            build(Attack, self.attack),
            self.epsilons,
            len(images),
            seed=self.seed,
            schedule=self.schedule,
            more={"view": self.view, "data": images.digest(), **more},
        )


def make_probe(
    attack: str, data: str, epsilons: Sequence[Eps] = (), *, sweep: bool = False, **options: Any
) -> Probe:
    """A probe of a data set; without epsilons, with those that are usual for it and the norm.

    Raises:
        UsageError: no such attack, or epsilons that cannot be meant.
    """
    dataset, made = build(Dataset, data, trusted=False), build(Attack, attack)
    grid = tuple(sorted(set(epsilons))) or _usual(dataset, made.norm, sweep)
    _refuse_unscaled(grid, made.norm)
    probe = Probe(str(made), grid, **options)
    _check(probe)
    return probe


def _check(probe: Probe) -> None:
    for name, low in {"samples": 1, "seed": 0, "batch_size": 1}.items():
        value = getattr(probe, name)
        if value is not None and value < low:
            raise UsageError(f"{name.replace('_', '-')} {value}: expected {low} or more")
    words: dict[str, Any] = {"schedule": Schedule, "view": View}
    for name, kind in words.items():
        if getattr(probe, name) not in get_args(kind):
            raise UsageError(
                f"no {name} {getattr(probe, name)!r}; type {', '.join(get_args(kind))}"
            )


def _usual(dataset: Dataset, norm: str, sweep: bool) -> tuple[Eps, ...]:
    """A data set's own epsilons for a norm."""
    if norm not in (dataset.ranges if sweep else dataset.eps):
        option = "--eps-range 0:10:1" if sweep else "--eps 1"
        raise UsageError(f"{dataset.name} has no usual {norm} epsilons; type them: {option}")
    return eps_range(dataset.ranges[norm]) if sweep else (Eps.parse(dataset.eps[norm]),)


def _refuse_unscaled(epsilons: Iterable[Eps], norm: str) -> None:
    """An Linf epsilon above 1 was meant for pixels of 0..255: this field's commonest mistake."""
    for eps in epsilons:
        if norm == "linf" and eps.value > 1:
            guess = spell(eps.value / 255, 255)
            raise UsageError(
                f"--eps {eps} is outside [0, 1]; pixels are in [0, 1], so did you mean {guess}?"
            )


@lru_cache(maxsize=2)
def _test_images(data: str, root: Path, device: str) -> Images:
    images = build(Dataset, data, trusted=False).load(root.expanduser())[1]
    return images.to(devices.choose(device))
