"""Continuous batching: Foolbox's iterates for what survives, whatever else is in the batch."""

from __future__ import annotations

import foolbox as fb
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms.descent import Descent, steps_alone
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.chance import seed_of
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.scheduling.steps import Pace, Stepper
from robustbench_cli.spec import build

EPSILONS = grid(ranges=["0:0.1:0.02"])
FOOLBOX = {
    "linf-pgd": fb.attacks.LinfPGD,
    "l2-pgd": fb.attacks.L2PGD,
    "linf-bim": fb.attacks.LinfBasicIterativeAttack,
}


def walked(spec: str, model: nn.Module, images: Images, epsilons: list[float]) -> Tensor:
    """Where the images are after all steps, each in a ball of its own, all in one batch."""
    attack = build(Attack, spec)
    assert isinstance(attack, Descent)
    samples = Samples(images.x, images.labels)
    stepper = Stepper(attack, fb.PyTorchModel(model, (0, 1)))
    pace = Pace.of(attack, samples, torch.tensor(epsilons, dtype=torch.float64))
    x = stepper.start(pace, [seed_of(i) for i in range(len(epsilons))])
    for _ in range(attack.steps):
        x, _ = stepper.step(x, pace)
    return x


@pytest.mark.parametrize("name", FOOLBOX)
@pytest.mark.parametrize("size", ["", ",step-size=0.01"])
def test_every_lane_goes_where_foolbox_goes(name: str, size: str, cnn, images: Images) -> None:
    cnn.eval()
    few = images[:8]
    epsilons = [0.3 * (i + 1) / 8 for i in range(8)]
    ours = walked(f"{name}:steps=5{size}", cnn, few, epsilons)
    absolute = 0.01 if size else None
    for i, eps in enumerate(epsilons):
        tool = FOOLBOX[name](
            rel_stepsize=0.5, abs_stepsize=absolute, steps=5, random_start=name != "linf-bim"
        )
        torch.manual_seed(seed_of(i))
        one = few[i : i + 1]
        alone = tool.run(fb.PyTorchModel(cnn, (0, 1)), one.x, one.labels, epsilon=eps)
        torch.testing.assert_close(ours[i : i + 1], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "able"),
    [*((name, True) for name in FOOLBOX), ("linf-fgsm", False), ("l2-boundary", False)],
)
def test_which_attacks_run_in_lanes(name: str, able: bool) -> None:
    assert steps_alone(build(Attack, name)) == able


@pytest.mark.parametrize("schedule", ["ascending", "independent", "bisect"])
@pytest.mark.parametrize("attack", ["linf-pgd:steps=3,restarts=2", "l2-pgd:steps=3"])
def test_the_random_numbers_do_not_depend_on_the_batch(
    cnn: nn.Module, images: Images, attack: str, schedule: str
) -> None:
    few = images[:20]
    one, two = (
        evaluate_model(cnn, few, attack, EPSILONS, batch_size=b, schedule=schedule).samples
        for b in (3, 20)
    )
    assert two["prediction"].equals(one["prediction"])
    np.testing.assert_allclose(two["distance"], one["distance"], rtol=1e-4)


def test_an_epsilon_means_the_same_on_every_grid(cnn: nn.Module, images: Images) -> None:
    whole = evaluate_model(cnn, images, "linf-pgd:steps=3", EPSILONS, schedule="independent")
    alone = evaluate_model(cnn, images, "linf-pgd:steps=3", EPSILONS[2:3])
    rows = whole.samples[whole.samples["eps"] == EPSILONS[2].text].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, alone.samples)


def test_a_lane_leaves_as_soon_as_it_is_broken(cnn: nn.Module, images: Images) -> None:
    many = evaluate_model(cnn, images, "linf-pgd:steps=200", grid(["0.5"]), audit=0)
    assert many.accuracy()["accuracy"][0] == 0
    assert many.record["cost"]["backwards"] < 10


def test_the_bill_is_exact_for_what_survives(images: Images) -> None:
    class Sure(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([9.0, 0.0]) + 1e-3 * x.flatten(1)[:, :2]

    calm = Images(images.pixels[:10], torch.zeros(10, dtype=torch.long))
    found = evaluate_model(
        Sure(), calm, "linf-pgd:steps=4,restarts=3", grid(["0.1,0.2"]), schedule="ascending"
    )
    assert found.record["cost"]["backwards"] == 2 * 3 * 4
    # one look at the end of each run, behind an unchanged image in each batch
    assert 2 * 3 * 5 <= found.record["cost"]["forwards"] <= 2 * 3 * 5 * 1.2


def test_a_random_network_is_asked_for_one_verdict() -> None:
    """One that errs by chance is not shown images until it errs."""

    class Careless(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            wrong = torch.rand(len(x)) < 0.1
            return 0 * x.flatten(1)[:, :2] + torch.stack([1 - 2.0 * wrong, 2.0 * wrong - 1], 1)

    pixels = torch.zeros(400, 1, 2, 2, dtype=torch.uint8)
    found = evaluate_model(
        Careless(),
        Images(pixels, torch.zeros(400, dtype=torch.long)),
        "linf-pgd:steps=20",
        grid(["0.1"]),
        audit=0,
    )
    right = found.samples.query("clean == label")
    assert 0.85 < (right["prediction"] == right["label"]).mean() < 0.95


def test_memory_running_out_changes_no_verdict(cnn: nn.Module, images: Images) -> None:
    class Small(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 20:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return cnn.eval()(x)

    attack = "linf-pgd:steps=3"
    found = evaluate_model(Small(), images, attack, EPSILONS, batch_size=30)
    plain = evaluate_model(cnn, images, attack, EPSILONS)
    assert found.samples["prediction"].equals(plain.samples["prediction"])
    assert found.record["notes"] == ["out of memory with 30 images at once; went on with 15"]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
@pytest.mark.parametrize("attack", ["linf-pgd:steps=3", "linf-apgd-ce:steps=3"])
def test_memory_may_run_out_in_the_backward_pass(
    cnn: nn.Module, images: Images, attack: str, error: RuntimeError
) -> None:
    class Full(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.view_as(x)

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
            if len(grad) > 20:
                raise error
            return grad

    class Small(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return cnn.eval()(Full.apply(x))

    found = evaluate_model(Small(), images, attack, EPSILONS, batch_size=30)
    assert found.record["notes"] == ["out of memory with 30 images at once; went on with 15"]
    plain = evaluate_model(cnn, images, attack, EPSILONS)
    assert found.samples["prediction"].equals(plain.samples["prediction"])


def test_a_claim_that_is_denied_is_listed_and_the_lane_goes_on(images: Images) -> None:
    class Undecided(nn.Module):
        """Another class only for the third image of a batch and those after it."""

        def forward(self, x: Tensor) -> Tensor:
            out = torch.tensor([1.0, 0.0]).repeat(len(x), 1) + 1e-6 * x.flatten(1)[:, :2]
            out[2:] = out[2:].flip(1)
            return out if x.requires_grad else torch.tensor([1.0, 0.0]).repeat(len(x), 1)

    calm = Images(images.pixels[:6], torch.zeros(6, dtype=torch.long))
    found = evaluate_model(Undecided(), calm, "linf-bim:steps=3", grid(["0.1"]), audit=0)
    assert found.accuracy()["accuracy"][0] == 1
    assert [entry["index"] for entry in found.record["rejected"]] == [2, 3, 4, 5]
    assert "when checked again" in found.record["rejected"][0]["reason"]
