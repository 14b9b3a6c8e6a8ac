"""Networks with a planted fault: the measurement sees it, its check says so, and honest networks
pass all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import eps_range
from robustbench_cli.evaluation import measure as measuring
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.measure import enough, measure
from robustbench_cli.evaluation.signal import Effort
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import param
from robustbench_cli.trust.check import Evidence, Finding, examine, unmeasured

GRID = eps_range("0:0.08:0.02")
PGD = "linf-pgd:steps=4"


def attacked(
    model: nn.Module, images: Images, attack: Attack | str = PGD, effort: Effort = "full"
) -> Evaluation:
    """An evaluation with its signals, as a job records them."""
    found = evaluate_model(model, images, attack, GRID)
    found.record["signals"] = measure(model, images, found, effort)
    return found


def findings(*evaluations: Evaluation, classes: int = 2) -> dict[str, Finding]:
    """What did not pass, by check."""
    facts = {"classes": [str(c) for c in range(classes)]}
    return {f.check: f for f in examine(Evidence({}, facts, evaluations)) if f.level != "pass"}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough draws for networks of one layer."""
    from robustbench_cli.evaluation.signals import rivals

    monkeypatch.setitem(rivals.DRAWS, "full", 20)
    monkeypatch.setattr(rivals, "QUERIES", 20)


# --- honest networks ---


def test_an_honest_network_passes_everything(linear: Any) -> None:
    found = attacked(linear.model, linear.images, "linf-pgd:steps=8")
    signals = found.record["signals"]
    assert signals["level"] == "full" and not signals["failed"] and not signals["left_out"]
    assert signals["gradients"]["predicted"] == pytest.approx(1, abs=0.01)
    assert signals["convergence"]["broken"] <= 1 and signals["rivals"]["noise"] == 0
    assert not findings(found)


def test_a_convolutional_network_passes_everything(cnn: nn.Module, images: Images) -> None:
    """In any state that it is handed over in; and it is handed back as it was."""
    before = {k: v.clone() for k, v in cnn.state_dict().items()}
    found = attacked(cnn, images, "linf-pgd:steps=8")
    assert cnn.training and all(p.requires_grad for p in cnn.parameters())
    assert all(torch.equal(before[k], v) for k, v in cnn.state_dict().items())
    fired = findings(found, classes=4)
    rugged = {"not-converged", "leaps-beat-steps"}  # it is untrained, and the steps are eight
    assert fired.keys() <= rugged, fired


def test_leaps_show_that_steps_led_nowhere(linear: Any) -> None:
    """Twice as many of these steps lead nowhere, too."""
    found = attacked(
        linear.model, linear.images, "l2-pgd:steps=5,step-size=1e-6,random-start=false"
    )
    signals = found.record["signals"]
    assert signals["convergence"]["broken"] <= 1
    assert signals["leaps"]["broken"] > 0.05 * signals["leaps"]["n"]
    assert findings(found)["leaps-beat-steps"].level == "failure"
    honest = attacked(linear.model, linear.images, "l2-pgd:steps=20")
    assert honest.record["signals"]["leaps"]["broken"] <= 1
    assert "leaps-beat-steps" not in findings(honest)


@pytest.mark.parametrize(
    "attack", ["l2-fab", "worst-case:l2", "linf-fgsm", "linf-square:queries=5", "linf-pgd:target=0"]
)
def test_leaps_are_for_gradient_attacks_that_step(linear: Any, attack: str) -> None:
    assert "leaps" not in attacked(linear.model, linear.images, attack).record["signals"]


def test_measuring_twice_gives_the_same_and_draws_nothing(linear: Any) -> None:
    state = torch.get_rng_state()
    first, second = (attacked(linear.model, linear.images).record["signals"] for _ in "ab")
    assert torch.equal(state, torch.get_rng_state())
    del first["seconds"], second["seconds"]
    assert first == second


# --- planted faults ---


class Wrapped(nn.Module):
    """The honest network, spoiled."""

    def __init__(self, inner: nn.Module, forward: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self._spoiled = inner, forward
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self._spoiled(self, x)


def draws_numbers(net: Any, x: Tensor) -> Tensor:
    return net.inner(x + 0.05 * torch.randn_like(x))


def looks_at_its_neighbours(net: Any, x: Tensor) -> Tensor:
    return net.inner(x + 3 * (x.mean(0, keepdim=True) - 0.5))


def answers_with_probabilities(net: Any, x: Tensor) -> Tensor:
    return net.inner(x).softmax(1)


def optimises(net: Any, x: Tensor) -> Tensor:
    with torch.enable_grad():
        y = x.detach().requires_grad_()
        (grad,) = torch.autograd.grad(net.inner(y).logsumexp(1).sum(), y)
    return net.inner(x - 1e-4 * grad.sign())


def counts(net: Any, x: Tensor) -> Tensor:
    net.seen += 1
    return net.inner(x)


def starts_training(net: Any, x: Tensor) -> Tensor:
    net.inner.train()
    return net.inner(x)


def rounds(net: Any, x: Tensor) -> Tensor:
    return net.inner((x * 64).round() / 64)


def shouts(net: Any, x: Tensor) -> Tensor:
    return net.inner(x) * 1e5


def trembles(net: Any, x: Tensor) -> Tensor:
    return net.inner(x) * (1 + 0.9 * (x.flatten(1).sum(1, keepdim=True) * 2e4).sin())


def breaks_its_gradient(net: Any, x: Tensor) -> Tensor:
    return net.inner(x) + (0 * x.flatten(1).sum(1, keepdim=True)).sqrt()


def expects_other_pixels(net: Any, x: Tensor) -> Tensor:
    return net.inner((x + 1) / 2)


FAULTS = {
    draws_numbers: "randomised-outputs",
    looks_at_its_neighbours: "randomised-outputs",
    answers_with_probabilities: "probabilities",
    optimises: "autograd-in-forward",
    counts: "network-changes",
    starts_training: "network-changes",
    rounds: "unusable-gradients",
    shouts: "unusable-gradients",
    breaks_its_gradient: "unusable-gradients",
    trembles: "unstable-loss",
    expects_other_pixels: "pixel-scale",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_makes_its_check_fire(linear: Any, fault: Any) -> None:
    model = Wrapped(linear.model, fault)
    fired = findings(attacked(model, linear.images))
    assert FAULTS[fault] in fired
    assert fired[FAULTS[fault]].remedy


def test_random_draws_are_not_taken_for_misleading_gradients(linear: Any) -> None:
    found = attacked(Wrapped(linear.model, draws_numbers), linear.images)
    assert found.record["signals"]["gradients"]["predicted"] == pytest.approx(1, abs=0.01)
    assert "unusable-gradients" not in findings(found)


def test_rounded_pixels_show_in_what_other_attacks_break(linear: Any) -> None:
    fired = findings(attacked(Wrapped(linear.model, rounds), linear.images, "linf-bim:steps=4"))
    assert "black-box-beats-white-box" in fired
    assert "unbounded-epsilon" in fired and "100.0% at eps 1" in fired["unbounded-epsilon"].text


def test_saturated_cross_entropy_is_told_from_no_gradient(linear: Any) -> None:
    shouted = findings(attacked(Wrapped(linear.model, shouts), linear.images))
    rounded = findings(attacked(Wrapped(linear.model, rounds), linear.images))
    assert "underflows" in shouted["unusable-gradients"].text
    assert "is zero at 100.0%" in rounded["unusable-gradients"].text


def test_too_few_steps_are_not_enough(linear: Any) -> None:
    hasty = attacked(linear.model, linear.images, "linf-bim:steps=2,step-size=0.01")
    assert "samples that it left" in findings(hasty)["not-converged"].text


def test_a_short_walk_is_not_enough(linear: Any) -> None:
    walk = attacked(linear.model, linear.images[:60], "l2-boundary:steps=20")
    assert "shorten" in findings(walk)["not-converged"].text


@dataclass(kw_only=True)
class PassesBy(Attack):
    """Finds an adversarial, asks the network about it, and returns the image unchanged."""

    norm: ClassVar[Norm] = "linf"
    steps: int = param(1, "times it does so", low=1)

    def craft(self, model: Any, samples: Samples, eps: float | None) -> Crafted:
        x = samples.x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(
            nn.functional.cross_entropy(model(x), samples.labels, reduction="sum"), x
        )
        model((samples.x + 0.999 * (eps or 0) * gradient.sign()).clamp(0, 1))
        return Crafted(samples.x)


def test_an_attack_that_drops_its_adversarials_is_caught(cnn: nn.Module, images: Images) -> None:
    found = attacked(cnn, images, PassesBy())
    assert found.record["signals"]["convergence"]["silent"] > 5
    fired = findings(found, classes=4)
    assert "adversarial on the way" in fired["silent-success"].text


# --- what it costs ---


class Counter(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.images = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        return self.inner(x)


@pytest.mark.parametrize("attack", ["linf-fgsm", "linf-pgd:steps=4", "linf-pgd:steps=20"])
def test_quick_keeps_to_a_tenth_and_says_what_it_left_out(linear: Any, attack: str) -> None:
    counter = Counter(linear.model)
    found = evaluate_model(linear.model, linear.images, attack, GRID)
    found.record["signals"] = measure(counter, linear.images, found, "quick")
    cost, signals = found.record["cost"], found.record["signals"]
    assert counter.images <= 0.1 * (cost["forwards"] + cost["backwards"]) * found.n
    assert signals["left_out"] and unmeasured([found]) == signals["left_out"]
    full = attacked(linear.model, linear.images, attack)
    assert set(unmeasured([found, full])) < set(signals["left_out"])


def test_off_measures_nothing(linear: Any) -> None:
    counter = Counter(linear.model)
    found = evaluate_model(linear.model, linear.images, PGD, GRID)
    assert measure(counter, linear.images, found, "off")["level"] == "off" and not counter.images


def test_a_signal_that_fails_is_named_and_harms_nothing(
    linear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(measuring.Scene, "first", refuse)
    signals = attacked(linear.model, linear.images).record["signals"]
    assert signals["failed"] == {"gradients": "out of memory", "loss-jumps": "out of memory"}
    assert "answers" in signals


@pytest.mark.parametrize(
    ("recorded", "asked", "is_enough"),
    [
        (None, "off", True),
        (None, "quick", False),
        ("quick", "quick", True),
        ("quick", "full", False),
        ("full", "quick", True),
        ("deep", "quick", False),
    ],
)
def test_what_was_measured_is_not_measured_again(
    recorded: str | None, asked: Effort, is_enough: bool
) -> None:
    record = {} if recorded is None else {"signals": {"level": recorded}}
    assert enough(record, asked) == is_enough
