"""``[select]``: the best setting of each method family, by images that were held out.

Every setting is trained with the seeds of [train] and attacked on validation images. Of each family
(the names in a spec, without their parameters) the best one is trained again with other seeds, and
all later sections are about these champions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment import values
from robustbench_cli.experiment.plan import Experiment
from robustbench_cli.experiment.selecting import Selecting
from robustbench_cli.jobs import TrainJob
from robustbench_cli.jobs.attack_config import AttackConfig
from robustbench_cli.reporting.numbers.quantity import Quantity
from robustbench_cli.spec import refuse_unknown

from . import attack
from .train import seed_count

_SELECT = {"measure", "seeds", "optimism", *attack.KEYS}


def read(
    section: Mapping[str, Any],
    settings: Sequence[TrainJob],
    rest: Callable[[Sequence[TrainJob]], Experiment],
) -> Experiment:
    """What is known before the choice: the settings that compete, and their attacks.

    `rest` makes the experiment on the champions from their trainings.

    Raises:
        UsageError: a key or value that makes no sense, or nothing to choose from.
    """
    refuse_unknown(section, _SELECT, "[select]")
    quantity = values.typed(section.get("measure", "area"), Quantity, "[select] measure")
    used = list(dict.fromkeys(job.config.seed for job in settings))
    seeds = seed_count(section.get("seeds", len(used)), "[select]")
    selecting = Selecting(
        settings=tuple(settings),
        quantity=quantity,
        configs={
            data: _config(section, data, quantity)
            for data in dict.fromkeys(job.config.data for job in settings)
        },
        seeds=tuple(range(max(used) + 1, max(used) + 1 + seeds)),
        optimism=values.typed(section.get("optimism", False), bool, "[select] optimism"),
        rest=rest,
    )
    if not selecting.competing:
        raise UsageError(
            "[select] has nothing to choose: no method has two settings; "
            'write a grid in [train], like method = "vib:beta={1e-4,1e-3}"'
        )
    for job in selecting.competing:
        if not job.config.validation:
            raise UsageError("[select] needs held-out images: [train] validation above 0")
    first, _ = selecting.stand_ins()
    return Experiment(
        selecting.competing, selecting.attacks(), report=first.report, select=selecting
    )


def _config(section: Mapping[str, Any], data: str, quantity: Quantity) -> AttackConfig:
    if quantity == "clean":
        if {"eps", "eps-range"} & set(section):
            raise UsageError("[select] measure clean is at no epsilon: leave eps and eps-range out")
        section = {**section, "eps": "0"}
    found = attack.configs(section, data, title="[select]", keys=_SELECT)
    if len(found) != 1:
        ways = ", ".join(f"{c.attack} behind {c.defence or 'no defence'}" for c in found)
        raise UsageError(f"[select] compares by one attack and one defence; got {ways or 'none'}")
    (config,) = found
    above = [eps for eps in config.epsilons if eps.value]
    if quantity == "accuracy" and len(above) != 1:
        raise UsageError('[select] measure accuracy is at one epsilon: write eps = "0.1"')
    if quantity in ("area", "half") and len(config.epsilons) < 3:
        raise UsageError(f"[select] measure {quantity} needs three epsilons or more: eps-range")
    return config
