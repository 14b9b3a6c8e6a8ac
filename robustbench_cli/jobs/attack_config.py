"""How to attack, as plain data: which attack, at which epsilons, on which images."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, get_args

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.epsilon import Eps, eps_range
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.certify import Certifier
from robustbench_cli.evaluation.recording.record import identify
from robustbench_cli.evaluation.scheduling.schedules import ScheduleName
from robustbench_cli.evaluation.signal import Effort
from robustbench_cli.evaluation.throughput.fast_path import Crafting, Precision
from robustbench_cli.runs.run import Split
from robustbench_cli.spec import build, shorten
from robustbench_cli.spec.pixels import refuse_unscaled
from robustbench_cli.training.deploy import View, build_defences
from robustbench_cli.training.method import Method


@dataclass(frozen=True)
class AttackConfig:
    """Shared by attacking and transferring. `epsilons` are in pixels, by the attack's norm."""

    attack: str
    epsilons: tuple[Eps, ...]
    samples: int | None = None  # the first so many images; None: all
    split: Split = "test"  # of the images: nobody's, or held out of the run's training
    seed: int = 0
    schedule: ScheduleName = "auto"
    view: View = "deployed"
    batch_size: int | None = None
    checks: Effort = "quick"  # how hard is looked for signs of failure; not part of the identity
    eight_bit: bool = False
    defence: str | None = None  # put before the run's own methods at test time
    audit: int | None = None  # samples attacked at every epsilon whatever the schedule; None: a few
    compile: bool = False  # compile a copy of the network to craft with
    precision: Precision = "float32"  # of that copy; verdicts are always in float32
    threads: int | None = None  # on a CPU; None: measured; not part of the identity

    @property
    def crafting(self) -> Crafting:
        return Crafting(compile=self.compile, precision=self.precision)

    def identity(self, images: Images, **more: Any) -> dict[str, Any]:
        """What the rows of this attack on these images depend on, and `more`."""
        if self.defence:
            more["defence"] = self.defence
        if self.eight_bit:
            more["eight_bit"] = True
        if self.split != "test":
            more["split"] = self.split
        return identify(
            build(Attack, self.attack),
            self.epsilons,
            len(images),
            seed=self.seed,
            schedule=self.schedule,
            audit=self.audit,
            crafting=self.crafting,
            more={"view": self.view, "data": images.digest(), **more},
        )


def make_attack_config(
    attack: str, data: str, epsilons: Sequence[Eps] = (), *, sweep: bool = False, **options: Any
) -> AttackConfig:
    """A config of a data set; without epsilons, with those that are usual for it and the norm.

    Raises:
        UsageError: no such attack or defence, or epsilons that cannot be meant.
    """
    dataset, made = build(Dataset, data, trusted=False), build(Attack, attack)
    grid = tuple(sorted(set(epsilons))) or _usual(dataset, made, sweep)
    if made.norm == "linf":  # in L2 a sweep may go as far as the images' own diagonal
        for eps in grid:
            refuse_unscaled(f"{made} (linf): epsilon ", float(eps), made.norm, str(eps))
    written = build_defences(options.pop("defence", None), trusted=False)
    if isinstance(made, Certifier):
        made.refuse_beyond(grid)
        _refuse_other(made, written)
        written, options = [], {**options, "view": "bare", "checks": "off", "eight_bit": False}
    config = AttackConfig(str(made), grid, **options, defence="+".join(map(str, written)) or None)
    _check(config)
    return config


def _refuse_other(certifier: Certifier, written: Sequence[Method]) -> None:
    """A certificate is one of the bare network under noise, so of nothing but its own smoothing."""
    for each in written:
        if each.name != "smoothing" or getattr(each, "sigma", None) != certifier.sigma:
            raise UsageError(
                f"{certifier} says nothing of a network behind {each}; "
                f"type --defence smoothing:sigma={shorten(certifier.sigma)}, or leave it out"
            )


def _check(config: AttackConfig) -> None:
    for name, low in {"samples": 1, "seed": 0, "batch_size": 1, "audit": 0, "threads": 1}.items():
        value = getattr(config, name)
        if value is not None and value < low:
            raise UsageError(f"{name.replace('_', '-')} {value}: expected {low} or more")
    if config.defence and config.view == "bare":
        raise UsageError(f"the bare view leaves {config.defence} out; type --view deployed")
    words: dict[str, Any] = {"schedule": ScheduleName, "view": View, "checks": Effort}
    words |= {"precision": Precision, "split": Split}
    for name, kind in words.items():
        if getattr(config, name) not in get_args(kind):
            raise UsageError(
                f"no {name} {getattr(config, name)!r}; type {', '.join(get_args(kind))}"
            )


def _usual(dataset: Dataset, attack: Attack, sweep: bool) -> tuple[Eps, ...]:
    """Of a certificate, those that it can reach, if it reaches any above 0."""
    usual = Eps.parse(dataset.usual_eps(attack.norm))
    most = attack.reach if isinstance(attack, Certifier) and not attack.beyond else inf
    if not sweep and float(usual) <= most:
        return (usual,)
    every = eps_range(dataset.usual_eps(attack.norm, "ranges"))
    reached = tuple(eps for eps in every if float(eps) <= most)
    if not any(eps.value for eps in reached):
        return (usual,)
    return reached if sweep else reached[-1:]


class TestPart(NamedTuple):
    """What a network is attacked on, and how a run would know it again."""

    images: Images
    classes: tuple[str, ...]
    digest: str

    def facts(self) -> dict[str, Any]:
        """Those of :meth:`Data.facts` that test images decide."""
        return {
            "shape": list(self.images.shape),
            "classes": list(self.classes),
            "test_digest": self.digest,
        }


def test_part(data: str, root: Path, device: str) -> TestPart:
    """All test images of a data set, on the device; read once, as long as no file changes."""
    return _test_images(data, root, device, build(Dataset, data, trusted=False).stamp())


@lru_cache(maxsize=4)
def _test_images(data: str, root: Path, device: str, _stamp: Hashable) -> TestPart:
    if device != "cpu":
        here = _test_images(data, root, "cpu", _stamp)
        return here._replace(images=here.images.to(devices.choose(device)))
    _, images, classes = build(Dataset, data, trusted=False).load(root.expanduser())
    return TestPart(images.named(classes), classes, images.digest())
