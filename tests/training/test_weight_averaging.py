"""Weight averaging: the average by hand, what ships, and that training itself is unchanged."""

from __future__ import annotations

import pytest
import torch
from small import make_batch, make_model, quick, train

from robustbench_cli.errors import CompositionError
from robustbench_cli.spec import build_all
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.weight_averaging import WeightAveraging
from robustbench_cli.training.objective import Objective, check

STATISTICS = ("running_mean", "running_var")


def trajectory(text: str, epochs: int = 3, steps: int = 2):  # type: ignore[no-untyped-def]
    """The network, its state at the start and after each optimiser step."""
    methods, model = quick(text), make_model()
    objective = Objective(model, methods)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    states = [snapshot(model)]
    for _ in range(epochs):
        for _ in range(steps):
            loss = objective(make_batch()).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            states.append(snapshot(model))
        for method in methods:
            method.end_epoch(model)
    return model, methods, states


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    kept = {n for n, _ in model.named_parameters()}
    state = model.state_dict()
    return {
        k: v.clone()
        for k, v in state.items()
        if k in kept or (k.endswith(STATISTICS) and not k.startswith("average"))
    }


def deployed(model, methods):  # type: ignore[no-untyped-def]
    for method in reversed(methods):
        method.deploy(model)
    return model


@pytest.mark.parametrize("outer", ["", "trades+", "pgd-at:clean=0.5+", "advprop+"])
def test_the_moving_average_counts_each_optimiser_step_once(outer: str) -> None:
    """Also where an outer method forwards twice; batch-norm statistics follow at those moments."""
    model, methods, states = trajectory(f"{outer}weight-averaging:decay=0.7,warmup=false")
    assert methods[-1].steps == 6
    for name, _ in model.named_parameters():
        expected = states[0][name]
        for state in states[1:]:
            expected = 0.7 * expected + 0.3 * state[name]
        mean = model.average.get_buffer(name.replace(".", "/"))
        torch.testing.assert_close(mean, expected)


def test_batch_norm_statistics_are_averaged_with_the_weights_and_shipped() -> None:
    """They move in a training forward, so each step's are those that its forward found."""
    model, methods, states = trajectory("weight-averaging:decay=0.5,warmup=false", epochs=1)
    # after step 1 the average is taken in step 2, before its forward; then once at the end
    expected = {
        k: 0.25 * states[0][k] + 0.25 * states[1][k] + 0.5 * states[2][k] for k in states[0]
    }
    found = snapshot(deployed(model, methods))
    assert any(name.endswith("running_var") for name in found)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name])
    assert not hasattr(model, "average")


def test_warmup_soon_forgets_the_start() -> None:
    """d = 2/11, 3/12, ... in the first steps: (1+t)/(10+t)."""
    model, methods, states = trajectory("weight-averaging", epochs=1)
    keep = [min(0.999, (1 + t) / (10 + t)) for t in (0, 1)]
    name = "network.head.weight"
    expected = states[0][name]
    for share, state in zip(keep, states[1:], strict=True):
        expected = share * expected + (1 - share) * state[name]
    torch.testing.assert_close(deployed(model, methods).state_dict()[name], expected)


def test_the_plain_mean_is_over_the_ends_of_epochs() -> None:
    model, methods, states = trajectory("weight-averaging:kind=swa,start=2", epochs=4, steps=2)
    ends = [states[i] for i in (4, 6, 8)]  # epochs 2, 3 and 4
    for name, value in snapshot(deployed(model, methods)).items():
        expected = torch.stack([end[name] for end in ends]).mean(0)
        torch.testing.assert_close(value, expected)


def test_before_it_has_averaged_anything_the_weights_ship_as_they_are() -> None:
    model, methods, states = trajectory("weight-averaging:kind=swa,start=9")
    for name, value in snapshot(deployed(model, methods)).items():
        assert torch.equal(value, states[-1][name])


def test_training_itself_is_plain_training() -> None:
    assert train(quick("weight-averaging"))[1] == train(quick("plain"))[1]


def test_decay_zero_ships_the_last_weights() -> None:
    model, methods, states = trajectory("weight-averaging:decay=0")
    for name, value in snapshot(deployed(model, methods)).items():
        torch.testing.assert_close(value, states[-1][name])


def test_it_copies_the_finished_network_so_it_comes_last() -> None:
    with pytest.raises(CompositionError, match=r"comes last: vib\+weight-averaging"):
        check(build_all(Method, "weight-averaging+vib"))
    check(build_all(Method, "vib+large-margin+weight-averaging"))
    check(build_all(Method, "weight-averaging+rotation"))  # at test time nothing is installed


def test_its_state_between_epochs_is_plain() -> None:
    _, methods, _ = trajectory("weight-averaging")
    assert isinstance(methods[0], WeightAveraging)
    assert methods[0].state() == {"epochs": 3, "steps": 6, "seen": -1}
