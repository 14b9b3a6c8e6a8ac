"""What people have in a notebook: networks, arrays, loaders and paths, instead of texts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

import robustbench_cli as rm
from robustbench_cli import analyse, evaluate, figure, load_predictor, table, train, transfer
from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.models import session

X = np.random.default_rng(0).random((40, 1, 4, 6)).astype(np.float32)
Y = (X.mean((1, 2, 3)) > 0.5).astype(int)  # brighter or darker than usual


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Brightness(nn.Module):
    """Right on every image: by how much the mean is above one half, and below."""

    scale = 20.0

    def forward(self, x: Tensor) -> Tensor:
        above = self.scale * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-above, above], dim=1)


def linear(*activations: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 8), *activations, nn.Linear(8, 2))


def attacked(network: Any, data: Any = (X, Y), **options: Any) -> rm.Evaluation:
    options = {"attack": "linf-fgsm", "epsilons": [0.01], "checks": "off", **options}
    return evaluate(network, data=data, **options)


def failure(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(RobustmixError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_network_and_arrays_give_the_accuracy_that_they_have() -> None:
    rows = attacked(Brightness()).samples.set_index("index")
    assert (rows["clean"] == rows["label"]).all() and (rows["label"] == Y).all()
    margin = np.abs(X.mean((1, 2, 3)) - 0.5)  # a step of 0.01 moves the mean by 0.01 at most
    unclipped = ((X >= 0.01) & (X <= 0.99)).all((1, 2, 3))
    assert 0 < (margin < 0.01)[unclipped].sum() < unclipped.sum()
    broken = rows["prediction"] != rows["label"]
    assert (broken == (margin < 0.01))[unclipped].all()


def test_arrays_tensors_sets_and_loaders_are_the_same_images() -> None:
    pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    given = [
        (X, Y),
        [torch.from_numpy(X), Y.tolist()],
        (np.moveaxis(X, 1, 3), np.eye(2)[Y]),
        pairs,
        Subset(pairs, range(40)),
        DataLoader(pairs, batch_size=7, shuffle=True),
    ]
    network = linear()
    found = {attacked(network, each).path for each in given}
    assert len(found) == 1
    assert len(list(Path("runs/.arrays").iterdir())) == 1
    other = X.copy()
    other[0, 0, 0, 0] = 0.5
    assert attacked(network, (other, Y)).path not in found


def test_a_result_never_speaks_of_another_network() -> None:
    one, two = linear(nn.ReLU()), linear(nn.Tanh())  # the same weights
    first = attacked(one).path
    assert attacked(linear(nn.ReLU())).path == first  # made again
    assert attacked(two).path != first
    with torch.no_grad():
        one[1].weight += 0.1
    assert attacked(one).path != first

    network = Brightness()
    first = attacked(network).path
    network.scale = 3.0
    assert attacked(network).path != first
    assert network.training  # as it was


def test_a_network_that_can_be_made_again_is_kept_by_name() -> None:
    assert rm.Run.open(attacked(Brightness()).path.parents[1]).config["model"] == (
        f"{__name__}:Brightness"
    )
    run = train(data=(X, Y), model="mlp:width=4", epochs=1)
    again = load_predictor(run)
    found = attacked(again, run.config["data"])
    assert rm.Run.open(found.path.parents[1]).config["model"] == "mlp:width=4"
    assert found.accuracy().equals(evaluate(run, attack="linf-fgsm", epsilons=[0.01]).accuracy())


def test_a_network_without_a_name_lives_as_long_as_the_session(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING):
        path = attacked(linear(nn.Tanh())).path.parents[1]
    assert "cannot be made again by name" in caplog.text
    assert "fgsm" in str(table(path)) and str(table(path)) == str(table("runs/*"))
    monkeypatch.setattr(session, "_kept", {})  # tomorrow
    assert "linf-fgsm" in str(table(path))
    assert "was an object of another Python session" in failure(load_predictor, path)
    attacked(linear(nn.Tanh()))
    assert load_predictor(path)(torch.zeros(1, 1, 4, 6)).shape == (1, 2)


def test_normalisation_stands_before_a_network() -> None:
    network = linear()
    path = attacked(network, normalise="0.5:0.25").path.parents[1]
    x = torch.from_numpy(X)
    torch.testing.assert_close(load_predictor(path)(x), network((x - 0.5) / 0.25))
    assert attacked(network).path.parents[1] != path
    assert "no normalisation 'nope'; expected none" in failure(attacked, network, normalise="nope")


def test_train_takes_arrays_and_goes_on_from_an_object() -> None:
    network = linear()
    before = network[1].weight.clone()
    run = train(data=((X, Y), (X[:6], Y[:6])), model=network, epochs=0, normalise=False)
    assert run.finished and torch.equal(network[1].weight, before)
    x = torch.from_numpy(X)
    torch.testing.assert_close(load_predictor(run)(x), network(x))
    assert (
        train(data=((X, Y), (X[:6], Y[:6])), model=linear(), epochs=0, normalise=False).path
        == run.path
    )
    assert len(evaluate(run, attack="linf-fgsm", epsilons=[0.01]).samples["index"].unique()) == 6
    split = train(data=(X, Y), model="mlp:width=4", epochs=1)
    assert split.record["data"]["train_size"] < 32


@pytest.mark.usefixtures("runs")
def test_a_path_is_a_run_wherever_one_is_taken(runs: Path) -> None:
    paths = sorted(map(str, runs.glob("*s0")))
    for path in paths:
        evaluate(path, attack="linf-fgsm", epsilons="0.01")
    assert "linf-fgsm" in str(table(paths[0])) and str(table("runs/*s0")) == str(table(paths))
    figure("decay-curve", paths)
    assert isinstance(load_predictor(paths[0]), nn.Module)
    assert len(transfer(paths[0], paths, attack="linf-fgsm", epsilons="0.01")) == 2
    assert analyse(paths[0], "per-class").analysis == "per-class"


def test_networks_are_taken_alike_by_transfer_and_analyse() -> None:
    one, two = linear(nn.ReLU()), linear(nn.Tanh())
    shown = transfer(one, [one, two], data=(X, Y), attack="linf-fgsm", epsilons=0.1)
    assert [each.record["white_box"] for each in shown] == [True, False]
    assert analyse(one, "per-class", data=(X, Y)).analysis == "per-class"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: evaluate(3), "evaluate takes a Run, the path of one or of a checkpoint file"),
        (lambda: evaluate(Brightness), "got the class Brightness"),
        (lambda: evaluate(Brightness()), "on which images? give data=(x, y)"),
        (lambda: attacked(Brightness(), X), "got ndarray: two are needed, (x, y)"),
        (lambda: attacked(Brightness(), (X, Y, X)), "got tuple of ndarray, ndarray, ndarray"),
        (lambda: attacked(Brightness(), (X * 3, Y)), "divide them by 255"),
        (lambda: attacked(Brightness(), (X, Y + 1)), "a label 2, but 2 classes"),
        (lambda: attacked(nn.Linear(3, 2)), "the network cannot take 1x4x6 images"),
        (lambda: attacked(Brightness(), attack=["linf-fgsm"]), "got list; call it once for each"),
        (lambda: attacked(Brightness(), model="mlp"), "model is not for an object, which is"),
        (lambda: attacked(nn.LazyLinear(2)), "has no weights yet"),
        (lambda: train(data=X), "train takes as data a spec as text"),
        (lambda: train(model=3), "train takes as model a spec as text"),
        (
            lambda: train(method=[3]),
            "train takes one method: its spec as text, or a Method; got int",
        ),
        (lambda: table(3), "a report takes a Run, a path, or several of them; got int"),
        (lambda: table([None]), "among them is None"),
        (lambda: load_predictor(None), "load_predictor takes a Run or the path of one; got None"),
        (lambda: transfer([3], "runs"), "transfer takes a Run, the path of one"),
        (
            lambda: analyse("runs", 3),
            "analyse takes one analysis: its spec as text, or an Analysis",
        ),
        (lambda: rm.compose("lenet5", "mixup"), "compose takes a torch.nn.Module; got str"),
    ],
)
def test_one_line_names_what_came_and_what_is_taken(call: Any, said: str) -> None:
    assert said in failure(call)


def test_a_file_that_is_none_says_so() -> None:
    with pytest.raises(UsageError, match="expected a run's directory or a checkpoint file"):
        evaluate("net.pth", data=(X, Y))
