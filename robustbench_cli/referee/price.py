"""What the work costs, in seconds: counted passes times what a pass takes here.

A sample that withstands goes through everything; one that breaks leaves early. How many withstand,
a short attack has shown. An estimate: attacks that find more than the short one cost less.
"""

from __future__ import annotations

from collections.abc import Iterator

from robustbench_cli.evaluation.algorithms.fab import FastAdaptiveBoundary
from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.signal import POOL, Signal, passes
from robustbench_cli.reporting.card.parts import NOISE, STEP
from robustbench_cli.spec import build

from .pilot import Glance, Pilot
from .protocol import FULL, Level

EARLY = 0.1
"""Of the work of an attack, what a sample takes that does not withstand it."""
QUICK = 0.1
"""Of the work of an attack, what quick checks take."""
_PATIENT = 4  # as many times fewer passes as `passes` counts where there is patience
_ONE_STEP = 3  # passes: forward, backward, and a look at what came of it
_CELLS = 75  # fifteen corruptions, five severities
_FORWARDS = ("answers", "forward-pass", "input-scale", "loss-jumps", "rivals")


def attack_seconds(role: str, spec: str, level: Level, pilot: Pilot, norm: str, n: int) -> float:
    """Of one attack on `n` images, with its checks but for those of `network_seconds`."""
    attack, glance = build(Attack, spec), pilot.glances[norm]
    left = pilot.clean if role in (NOISE, STEP) else glance.left
    share = left + EARLY * (pilot.clean - left)
    work = n * (share * _withstanding(attack, glance, pilot.classes, level) + glance.blind)
    if level.checks == "quick":
        return work * (1 + QUICK)
    return work + _checks(attack, glance, min(n, POOL), left, pilot.clean, level)


def network_seconds(spec: str, level: Level, pilot: Pilot, norm: str, n: int) -> float:
    """Of what full checks measure once, beside whichever attack is first."""
    if level.checks == "quick":
        return 0.0
    glance, there = pilot.glances[norm], min(n, POOL) * pilot.clean
    total = 0.0
    for signal, calls in _signals(glance, spec, shared=True):
        pace = glance.blind if signal.name in _FORWARDS else glance.gradient
        total += calls * min(4 * signal.most, there) * pace
    return total


def transfer_seconds(spec: str, pilot: Pilot, norm: str, n: int) -> float:
    """Every sample goes through everything, whatever it does to the network that it is made on."""
    glance = pilot.glances[norm]
    return n * (passes(build(Attack, spec)) * glance.lent + 2 * glance.blind)


def corruption_seconds(pilot: Pilot, n: int) -> float:
    """All corruptions and severities."""
    fastest = min((glance.blind for glance in pilot.glances.values()), default=0.0)
    return n * _CELLS * (pilot.corrupting + fastest)


def _withstanding(attack: Attack, glance: Glance, classes: int, level: Level) -> float:
    """Seconds for a sample that withstands it."""
    if isinstance(attack, Union):
        return sum(_withstanding(m, glance, classes, level) for m in attack.members(classes))
    pace = glance.gradient if attack.access == "gradient" else glance.blind
    return (passes(attack) * _patience(attack, level) or _ONE_STEP) * pace


def _patience(attack: Attack, level: Level) -> float:
    """What to make of the passes that `passes` counts."""
    if isinstance(attack, FastAdaptiveBoundary):  # with as many steps at every level
        level = FULL
    patient = isinstance(attack, Union) or attack.settings.get("patience") is not None
    return _PATIENT * level.patient if patient else 1.0


def _checks(
    attack: Attack, glance: Glance, pool: int, left: float, clean: float, level: Level
) -> float:
    """Of an attack's own signals: each on as many of the pool as it looks at in full."""
    total = 0.0
    for signal, calls in _signals(glance, str(attack), shared=False):
        there = pool * (left if signal.ranks else clean)
        blind = signal.name in _FORWARDS or attack.access != "gradient"
        pace = glance.blind if blind else glance.gradient * _patience(attack, level)
        total += calls * min(4 * signal.most, there) * pace
        total += bool(calls and signal.ranks) * pool * left * glance.blind
    return total


def _signals(glance: Glance, spec: str, *, shared: bool) -> Iterator[tuple[Signal, int]]:
    """With the passes that each takes for a sample."""
    for name, calls in glance.signals.get(spec, {}).items():
        signal = build(Signal, name)
        if signal.shared == shared:
            yield signal, calls
