"""Interpolated adversarial training is a composition under one name."""

from __future__ import annotations

import pytest
import torch
from small import make_batch, make_model, quick, train

from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.objective import Objective


@pytest.mark.parametrize("settings", ["", ",alpha=0.4", ",attack-bn=train"])
def test_it_is_pgd_at_of_which_half_is_clean_and_mixup(settings: str) -> None:
    """Bit for bit, weights after three steps as well."""
    parts = dict(part.split("=") for part in settings.split(",") if part)
    alpha = parts.pop("alpha", None)
    attack = "".join(f",{key}={value}" for key, value in parts.items())
    mixup = f"mixup:alpha={alpha}" if alpha else "mixup"
    alone, losses = train(quick(f"iat:steps=7{settings}"))
    composed, expected = train(quick(f"pgd-at:steps=7,clean=0.5{attack}+{mixup}"))
    assert losses == expected
    for key, value in composed.state_dict().items():
        assert torch.equal(alone.state_dict()[key], value)


def test_each_half_is_mixed_on_its_own_and_the_attack_sees_unmixed_images() -> None:
    (method,) = quick("iat:eps=0.1")
    assert isinstance(method, Adversarial)
    model, batch, attacked, shown = make_model(), make_batch(), [], []
    Objective(model, [method])
    perturb = method.perturb

    def watch(model, x, loss):  # type: ignore[no-untyped-def]
        attacked.append(x)
        return perturb(model, x, loss)

    def rest(model: object, seen: Batch) -> Outcome:
        shown.append(seen)
        return Outcome(torch.tensor(float(len(shown))), seen.y)

    method.perturb = watch
    outcome = method.step(model, batch, rest)
    assert len(attacked) == 1 and torch.equal(attacked[0], batch.x)
    assert outcome.loss.item() == 0.5 * 1 + 0.5 * 2
    first, second = shown
    assert not torch.equal(first.y, second.y), "λ and the permutation are drawn anew"
