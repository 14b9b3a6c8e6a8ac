"""Middleware: what `rest` means, in which order, and what is seen by whom."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from small import CLASSES, make_batch, make_model
from tiny import train_job
from torch import Tensor, nn

from robustbench_cli import compose
from robustbench_cli.errors import CompositionError
from robustbench_cli.models.model import Model
from robustbench_cli.runs.run import Run
from robustbench_cli.training.batch import Batch, Outcome, current_forward
from robustbench_cli.training.deploy import load_predictor
from robustbench_cli.training.method import Method, Step, overrides
from robustbench_cli.training.objective import Objective, binary_cross_entropy, check, cross_entropy

LOG: list[str] = []


@dataclass(kw_only=True)
class Outer(Method):
    """Writes down when it is called."""

    label: str = "outer"

    @property
    def name(self) -> str:
        return self.label

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        LOG.append(f"{self.label} begins")
        outcome = rest(model, batch)
        LOG.append(f"{self.label} ends")
        return outcome


class Inner(Outer):
    """Another class, so that both may be given."""


class Twice(Method):
    """Adds the loss on the negative."""

    compares: ClassVar[bool] = True

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        first = rest(model, batch)
        second = rest(model, batch.replace(x=1 - batch.x))
        return first._replace(loss=first.loss + second.loss)


class Never(Method):
    """Does without the network."""

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        weight = next(iter(model.parameters()))
        return Outcome(weight.sum(), batch.y)


@dataclass(kw_only=True)
class Swap(Method):
    """Shows the rest another network."""

    other: Model | None = field(default=None, init=False, repr=False, compare=False)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        assert self.other is not None
        return rest(self.other, batch)


class Draws(Method):
    resamples: ClassVar[bool] = True


class Last(Method):
    innermost: ClassVar[bool] = True

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        return rest(model, batch)


class Uniform(Method):
    """Labels that depend on the logits."""

    def targets(self, logits: Tensor, y: Tensor) -> Tensor:
        assert logits.shape == y.shape
        return torch.full_like(y, 1 / y.shape[1])


@pytest.fixture
def model() -> Model:
    return make_model()


def test_without_methods_it_is_cross_entropy(model: Model) -> None:
    batch = make_batch()
    outcome = Objective(model.eval(), [])(batch)
    torch.testing.assert_close(outcome.logits, model(batch.x))
    torch.testing.assert_close(
        outcome.loss, F.cross_entropy(model(batch.x), batch.y.argmax(1)), rtol=1e-6, atol=1e-6
    )


def test_the_batch_flows_from_left_to_right(model: Model) -> None:
    LOG.clear()
    Objective(model, [Outer(label="a"), Inner(label="b")])(make_batch())
    assert LOG == ["a begins", "b begins", "b ends", "a ends"]


def test_rest_may_be_called_twice_or_never(model: Model) -> None:
    batch = make_batch()
    plain = Objective(model.eval(), [])
    expected = plain(batch).loss + plain(batch.replace(x=1 - batch.x)).loss
    torch.testing.assert_close(Objective(model, [Twice()])(batch).loss, expected)
    LOG.clear()
    Objective(model, [Never(), Outer()])(batch)
    assert LOG == []


def test_the_rest_uses_the_network_it_is_given(model: Model) -> None:
    swap, batch = Swap(), make_batch()
    swap.other = make_model().eval()
    with torch.no_grad():
        for parameter in swap.other.parameters():
            parameter.mul_(2)
    torch.testing.assert_close(Objective(model, [swap])(batch).logits, swap.other(batch.x))


def test_labels_may_depend_on_the_prediction(model: Model) -> None:
    batch = make_batch()
    outcome = Objective(model.eval(), [Uniform()])(batch)
    expected = -outcome.logits.log_softmax(1).mean()
    torch.testing.assert_close(outcome.loss, expected)


def test_penalties_are_added_and_only_a_training_forward_has_them(model: Model) -> None:
    class Charging(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if forward := current_forward():
                forward.penalties.append(torch.tensor(5.0))
            return x

    class Charges(Method):
        def install(self, model: Model) -> None:
            model.replace_head(lambda head: nn.Sequential(Charging(), head))

    batch = make_batch()
    without = Objective(model.eval(), [])(batch).loss
    torch.testing.assert_close(Objective(model, [Charges()])(batch).loss, without + 5)
    model(batch.x)
    assert current_forward() is None


def test_a_forward_that_fails_is_closed(model: Model) -> None:
    with pytest.raises(RuntimeError):
        Objective(model, [])(Batch(torch.rand(2, 7, 8, 8), torch.rand(2, CLASSES)))
    assert current_forward() is None


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ([Twice(), Draws()], "compares two forwards and .*:Draws would draw each anew"),
        ([Last(), Outer(label="o")], "reads the last forward, so it comes last: o.*Last"),
        ([Draws(), Draws()], "is given twice: keep one"),
    ],
)
def test_orders_without_a_meaning(methods: list[Method], message: str) -> None:
    with pytest.raises(CompositionError, match=message):
        check(methods)
    if type(methods[0]) is not type(methods[1]):
        check(methods[::-1])


def test_only_hooks_that_a_class_defines_are_called() -> None:
    assert overrides(Outer(), "step") and not overrides(Outer(), "predict")
    assert overrides(Inner(), "step"), "inherited from a method, not from the contract"


def test_binary_cross_entropy_is_torchs() -> None:
    logits, y = torch.randn(8, CLASSES), torch.rand(8, CLASSES)
    torch.testing.assert_close(
        binary_cross_entropy(logits, y),
        F.binary_cross_entropy(logits.softmax(1).clamp(1e-6, 1 - 1e-6), y),
    )
    assert binary_cross_entropy(100 * logits, (y > 0.5).float()).isfinite()


def test_losses_are_computed_in_float32() -> None:
    logits = torch.randn(4, CLASSES, dtype=torch.bfloat16)
    assert cross_entropy(logits, make_batch(4).y).dtype == torch.float32


# --- around a network and a loop of the user's own ---


def test_compose_trains_a_network_of_ones_own() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 16), nn.ReLU(), nn.Linear(16, 4))
    objective = compose(network, "mixup+info-mixup", dataset="cifar10")
    optimizer = torch.optim.SGD(objective.model.parameters(), 0.1)
    before = [p.clone() for p in objective.model.parameters()]
    optimizer.zero_grad()
    objective(make_batch()).loss.backward()
    optimizer.step()
    pairs = zip(before, objective.model.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in pairs)


def test_compose_takes_objects_and_a_data_set_for_what_depends_on_one() -> None:
    from robustbench_cli.training.methods.pgd_at import PGDTraining

    method = PGDTraining(steps=2)
    compose(make_model(), method, dataset="digits")
    assert method.eps == 0.1
    compose(make_model(), [Outer(), PGDTraining(steps=2)])(make_batch())


def test_what_a_network_lacks_is_said_in_training_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run = Run.open(train_job(tmp_path, method="advprop", epochs=1).run())
        (told,) = [r.getMessage() for r in caplog.records]
        assert told == "advprop: the network has no batch norm to double, so this part does nothing"
        load_predictor(run)
    assert len(caplog.records) == 1
