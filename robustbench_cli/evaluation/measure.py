"""Every signal of the folder, measured within a tenth of what the attack itself cost.

The bill counts forward and backward passes, not seconds, so that a repeated command measures the
same. A call on a small batch costs nearly as much as one on a larger, so each counts as `CALL`
samples more than it has. What does not fit is left out and named; `full` measures everything, and
what the attack makes no difference to only once for all attacks on a network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.device import seed_everything
from robustbench_cli.errors import RobustmixError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build, names

from .attack import Attack
from .isolation import fenced, frozen
from .sharing import Sharing
from .signal import Effort, Numbers, Scene, Signal
from .throughput.pooling import quick_pools

SHARE = 0.08  # a tenth in time: small batches and gradients are dearer than they count
CALL = 32
EFFORTS: tuple[Effort, ...] = ("off", "quick", "full")


def measure(
    model: nn.Module,
    images: Images,
    evaluation: Evaluation,
    effort: Effort = "quick",
    *,
    beside: Path | None = None,
) -> dict[str, Any]:
    """What goes into a record as ``signals``: plain numbers by signal, ready for JSON.

    `images` are those that were evaluated, on the device of `model`, which is left as it was.
    `beside`: the folder of the evaluation, in which evaluations share what they can in full; None:
    everything is measured here. ``level`` says how hard was looked, ``left_out`` names what would
    have cost too much, ``failed`` what could not be measured and why, ``seconds`` how long it took,
    without what an earlier attack has paid for.
    """
    found: dict[str, Any] = {"level": effort, "left_out": [], "failed": {}}
    if effort == "off":
        return found
    start, record = perf_counter(), evaluation.record
    seed = int(record.get("seed", 0))
    attack = build(Attack, evaluation.attack)
    left = inf if effort == "full" else SHARE * _bill(record) * len(images)
    with fenced(), frozen(model), quick_pools(model):
        scene = Scene(model, images, evaluation, attack, seed)
        # quick checks look at as many samples as their attack is worth: no two need be alike
        sharing = Sharing.beside(beside, scene) if beside and effort == "full" else None
        signals = [build(Signal, name) for name in names("signals")]
        calls = {signal.name: signal.calls(scene, effort) for signal in signals}
        for signal in sorted(signals, key=lambda s: (calls[s.name], s.name)):
            if not (each := calls[signal.name]):
                continue
            most = signal.most * (4 if effort == "full" else 1)
            ranking = scene.ranking if signal.ranks else 0
            n = int(min(most, (left - ranking) / each - CALL))
            if n < min(signal.fewest, len(images)):
                found["left_out"].append(signal.name)
                continue
            seed_everything(seed, 3, *signal.name.encode())
            work: Callable[[], Numbers] = partial(signal.measure, scene, n, effort)
            if sharing and signal.shared:
                work = partial(sharing.once, signal.name, work)
            try:
                found[signal.name] = dict(work())
            except (RobustmixError, RuntimeError, ValueError) as e:  # the rows are not to suffer
                found["failed"][signal.name] = str(e).strip().partition("\n")[0]
            left -= each * (n + CALL) + ranking
    found["left_out"].sort()
    return {**found, "seconds": round(perf_counter() - start, 3)}


def enough(record: dict[str, Any], effort: Effort) -> bool:
    """Whether a record's signals were measured at least as thoroughly."""
    signals = record.get("signals")
    level = signals.get("level") if isinstance(signals, dict) else "off"
    return level in EFFORTS and EFFORTS.index(level) >= EFFORTS.index(effort)


def _bill(record: dict[str, Any]) -> float:
    """Passes per sample."""
    cost = record.get("cost", {})
    return float(cost.get("forwards", 0)) + float(cost.get("backwards", 0))
