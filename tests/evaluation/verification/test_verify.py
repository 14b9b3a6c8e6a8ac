"""Planted faults: each claim that is false is found, named, and does not count."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.network import Network
from robustbench_cli.evaluation.verification.ball import distance, inside, into_ball
from robustbench_cli.evaluation.verification.eight_bit import eight_bit, rounded
from robustbench_cli.evaluation.verification.verify import Verdict, verify

ALL = torch.ones(4, dtype=torch.bool)


@pytest.fixture
def fooled(linear) -> tuple[Network, Samples, Tensor]:
    """Four samples and sound adversarials for them, well inside the ball of 0.1."""
    close = (linear.right & (linear.linf < 0.05)).nonzero()[:4, 0]
    samples = Samples(linear.images.x[close], linear.images.labels[close])
    w = linear.model[1].weight[1].detach().sign().reshape(1, 1, 4, 4)
    towards = 1 - 2 * samples.labels[:, None, None, None]
    return Network(linear.model).eval(), samples, samples.x + 0.09 * towards * w


def judge(fooled: tuple[Network, Samples, Tensor], images: Tensor, claimed: Tensor) -> Verdict:
    network, samples, _ = fooled
    return verify(network, samples, images, norm="linf", eps=0.1, claimed=claimed)


def test_sound_ones_count(fooled) -> None:
    _, samples, images = fooled
    verdict = judge(fooled, images, ALL)
    assert verdict.adversarial.all() and not verdict.rejected
    assert (verdict.prediction == 1 - samples.labels.numpy()).all()
    assert verdict.distance == pytest.approx(0.09, abs=1e-6)


def test_without_a_claim_misclassification_decides(fooled) -> None:
    network, samples, images = fooled
    images = torch.cat([images[:2], samples.x[2:]])
    verdict = verify(network, samples, images, norm="linf", eps=0.1)
    assert verdict.adversarial.tolist() == [True, True, False, False]
    assert not verdict.rejected


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda x, adv: x + (adv - x) * 2, "outside the ball: linf distance 0.18"),
        (lambda x, adv: torch.full_like(adv, torch.nan), "not finite"),
        (lambda x, adv: torch.full_like(adv, torch.inf), "not finite"),
        (lambda x, adv: adv - 1, r"outside \[0, 1\]"),
        (lambda x, adv: x, "not misclassified when checked again: class"),
    ],
)
def test_a_false_claim_is_named(fooled, spoil, reason: str) -> None:
    _, samples, images = fooled
    images = torch.cat([images[:3], spoil(samples.x, images)[3:]])
    verdict = judge(fooled, images, ALL)
    assert verdict.adversarial.tolist() == [True, True, True, False]
    assert list(verdict.rejected) == [3]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(verdict.rejected[3])


def test_tolerance_is_a_millionth_of_the_radius(fooled) -> None:
    network, samples, images = fooled
    reach = (images.double() - samples.x.double()).flatten(1).abs().amax(1)
    farthest = int(reach.argmax())
    for excess, counts in ((0.9e-6, True), (1.1e-6, False)):
        eps = float(reach[farthest]) / (1 + excess)
        verdict = verify(network, samples, images, norm="linf", eps=eps, claimed=ALL)
        assert verdict.adversarial[farthest] == counts


def test_the_network_is_asked_in_eval_mode(cnn: nn.Module, images: Images) -> None:
    """In training mode batch norm makes other predictions, which count for nothing."""
    network, bright = Network(cnn), images.x * 0.2 + 0.8
    samples = Samples(images.x, cnn.eval()(bright).argmax(1))
    claimed = deepcopy(cnn).train()(bright).argmax(1) != samples.labels
    network.train()
    assert claimed.any()
    verdict = verify(network, samples, bright, norm="linf", eps=1.0, claimed=claimed)
    assert not verdict.adversarial.any()
    assert len(verdict.rejected) == int(claimed.sum())


def test_what_depends_on_the_batch_does_not_count() -> None:
    """A network that compares each image with its neighbour: alone, nothing is adversarial."""

    class Neighbours(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            brighter = (x - x.roll(1, 0)).flatten(1).mean(1)
            return torch.stack([-brighter, brighter], 1)

    samples = Samples(torch.full((4, 1, 2, 2), 0.5), torch.zeros(4, dtype=torch.long))
    images = samples.x + torch.arange(4.0).reshape(4, 1, 1, 1) / 100
    network = Network(Neighbours())
    claimed = network(images).argmax(1) == 1
    assert claimed.tolist() == [False, True, True, True]
    verdict = verify(network, samples, images, norm="linf", eps=0.1, claimed=claimed)
    assert verdict.adversarial.sum() < 3 and verdict.rejected


def test_nan_answers_count_for_nothing() -> None:
    class Fragile(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack(
                [x.flatten(1).mean(1), 0.45 + 0 * (0.6 - x.flatten(1)[:, 0]).log()], 1
            )

    samples = Samples(torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, dtype=torch.long))
    images = torch.full((1, 1, 1, 1), 0.7)
    verdict = verify(Network(Fragile()), samples, images, norm="linf", eps=0.3, claimed=ALL[:1])
    assert not verdict.adversarial.any()
    assert verdict.rejected == {0: "the network answers NaN"}


def test_a_target_must_be_reached(fooled) -> None:
    network, samples, images = fooled
    missed = Samples(samples.x, samples.labels, targets=samples.labels)
    verdict = verify(network, missed, images, norm="linf", eps=0.1, claimed=ALL)
    assert not verdict.adversarial.any()
    assert "not taken for its target" in verdict.rejected[0]


def test_shapes_must_be_kept(fooled) -> None:
    with pytest.raises(RunError, match="keep the shape"):
        judge(fooled, torch.zeros(4, 1, 2, 2), ALL)


# --- eight bits ---


def test_an_adversarial_between_two_pixel_values_is_none(linear) -> None:
    """Just across the plane, and back on its own side once it is saved."""
    x = (linear.images.x * 255).round() / 255
    w = linear.model[1].weight[1].detach().reshape(1, 1, 4, 4)
    labels = linear.model(x).argmax(1)
    lead = ((x - 0.5) * w).sum((1, 2, 3))
    images = x - (lead / (w**2).sum() * 1.0001)[:, None, None, None] * w
    network = Network(linear.model).eval()
    samples = Samples(x, labels)
    claimed = network(images).argmax(1) != labels
    with eight_bit():
        strict = verify(network, samples, images, norm="l2", eps=None, claimed=claimed)
    loose = verify(network, samples, images, norm="l2", eps=None, claimed=claimed)
    assert loose.adversarial.sum() > strict.adversarial.sum() > 0
    lost = loose.adversarial & ~strict.adversarial
    assert set(strict.rejected) - set(loose.rejected) == set(lost.nonzero()[0])
    assert all(
        strict.rejected[i].startswith("as 8-bit pixels: not misclassified")
        for i in lost.nonzero()[0]
    )


def test_what_counts_in_eight_bits_lies_in_the_ball(fooled) -> None:
    """Rounding turns towards the image where the nearest value would lie outside."""
    network, samples, _ = fooled
    x = (samples.x * 255).round() / 255
    samples = Samples(x, samples.labels)
    w = network.predictor[1].weight[1].detach().sign().reshape(1, 1, 4, 4)
    images = x + 0.0999 * (1 - 2 * samples.labels[:, None, None, None]) * w
    with eight_bit():
        verdict = verify(network, samples, images, norm="linf", eps=0.1, claimed=ALL)
    assert verdict.adversarial.all() and (verdict.distance <= 0.1).all()
    assert verdict.distance * 255 == pytest.approx([25.0] * 4, abs=1e-4)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.031), ("linf", 2 / 255), ("l2", 0.2)])
def test_rounding_never_leaves_the_ball_of_an_eight_bit_image(norm: str, eps: float) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 256, (50, 3, 8, 8)) / 255
    images = into_ball(x, x + eps * torch.randn_like(x), eps, norm)
    saved = rounded(x, images, norm, eps)
    assert inside(distance(x, saved, norm), eps).all()
    assert torch.allclose(saved * 255, (saved * 255).round(), atol=1e-4)
    assert ((saved - images).abs() < 1 / 255 + 1e-5).all()
