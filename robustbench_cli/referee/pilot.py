"""A look at a few images: how long a pass takes here, and how many samples an attack leaves.

Ten steps of PGD and fifty queries of Square in each norm. What an attack does besides its passes is
in their time. Measured once for a network, its images and the kind of device, and kept beside the
run, so that a plan is the same tomorrow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from robustbench_cli.data.corruptions.corruption import MADE
from robustbench_cli.data.corruptions.made import Made
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.choosing import short_attacks
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.signal import Scene, Signal
from robustbench_cli.files import read_json, write_json
from robustbench_cli.reporting.card.parts import Threat
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build, names

from .protocol import LEVELS

FEW = {"cpu": 64}
MANY = 512  # on a device that is no faster with fewer
_CORRUPTED = 16
FORMAT = 1


@dataclass(frozen=True)
class Glance:
    """Of one norm: seconds for a pass of an attack with gradients and for one without, and the
    share of all samples that ten steps leave. lent: seconds for a pass of the other network.
    signals: by attack and signal, the passes for each sample that it looks at.
    """

    gradient: float
    blind: float
    left: float
    lent: float
    signals: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Pilot:
    """clean: the share that is right unchanged. corrupting: seconds to corrupt an image once.
    seconds: what this look took."""

    n: int
    clean: float
    classes: int
    corrupting: float
    glances: Mapping[str, Glance]
    seconds: float

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Pilot:
        glances = {norm: Glance(**each) for norm, each in document["glances"].items()}
        return cls(**{**document, "glances": glances})


def look(
    model: nn.Module,
    images: Images,
    threats: Sequence[Threat],
    *,
    source: nn.Module | None = None,
    corrupted: bool = True,
    seed: int = 0,
) -> Pilot:
    """
    Args:
        source: the network that adversarials of another are made on, if there is one.
        corrupted: whether images will be corrupted here.
    """
    start, device = perf_counter(), images.device
    few = images[: FEW.get(device.type, MANY)]
    first = threats[0]
    warm = _attacked(model, few, _short(first.norm)[0], first, seed)  # what starts up, starts here
    glances = {t.norm: _glance(model, few, t, source, seed) for t in threats}
    making = _corrupting(few[:_CORRUPTED], seed) if corrupted else 0.0
    classes = max(len(images.classes), int(images.labels.max()) + 1)
    return Pilot(
        len(few), warm.clean_accuracy, classes, making, glances, round(perf_counter() - start, 3)
    )


def remembered(
    path: Path, about: Mapping[str, Any], measure: Callable[[], Pilot], *, force: bool = False
) -> Pilot:
    """What lies in a run about the same things, or ``measure()``, which is then kept there."""
    known = json.loads(json.dumps({"format": FORMAT, **about}))
    place = path / f".card-{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:8]}.json"
    if place.is_file() and not force:
        try:
            found = read_json(place)
            if found.get("about") == known:
                return Pilot.read(found["pilot"])
        except (RunError, TypeError, KeyError, AttributeError):
            pass  # it is looked again
    pilot = measure()
    write_json(place, {"about": known, "pilot": asdict(pilot)})
    return pilot


def _glance(
    model: nn.Module, few: Images, threat: Threat, source: nn.Module | None, seed: int
) -> Glance:
    descent, *blind = _short(threat.norm)
    found = _attacked(model, few, descent, threat, seed)
    pace = _pace(found)
    unseen = _pace(_attacked(model, few, blind[0], threat, seed)) if blind else pace
    lent = _pace(_attacked(source, few, descent, threat, seed)) if source is not None else 0.0
    left = float(found.accuracy()["accuracy"].iloc[-1])
    return Glance(pace, unseen, left, lent, _signals(model, few, found, threat.norm, seed))


def _short(norm: str) -> list[str]:
    """With gradients, and without where there is such."""
    return short_attacks(build(Attack, f"worst-case:{norm}"))


def _attacked(model: nn.Module, few: Images, attack: str, threat: Threat, seed: int) -> Evaluation:
    return evaluate_model(
        model, few, attack, [threat.eps], schedule="independent", audit=0, seed=seed
    )


def _pace(found: Evaluation) -> float:
    """Seconds for a pass; 0 where nothing was attacked."""
    cost = found.record["cost"]
    passes = (cost["forwards"] + cost["backwards"]) * found.n
    return float(cost["seconds"] / passes) if passes else 0.0


def _signals(
    model: nn.Module, few: Images, found: Evaluation, norm: str, seed: int
) -> dict[str, dict[str, int]]:
    """As the signals themselves count."""
    signals = [build(Signal, name) for name in names("signals")]
    counted = {}
    for level in LEVELS:
        for spec in level.attacks(norm).values():
            scene = Scene(model, few, found, build(Attack, spec), seed)
            counted[spec] = {s.name: s.calls(scene, level.checks) for s in signals}
    return counted


def _corrupting(few: Images, seed: int) -> float:
    source = Made(few, list(MADE), seed)
    start = perf_counter()
    with torch.no_grad():
        for name in source.names:
            for _ in source.blocks(name, 3):
                pass
    return (perf_counter() - start) / (len(few) * len(source.names))
