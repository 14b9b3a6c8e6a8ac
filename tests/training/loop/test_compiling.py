"""`--compile`: the same training, and edits that reach a compiled network or are refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small import make_batch, make_model, quick
from tiny import tiny

from robustbench_cli.data.dataset import open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.training.batch import training_forward
from robustbench_cli.training.hooks import editing
from robustbench_cli.training.loop import compiling
from robustbench_cli.training.objective import Objective
from robustbench_cli.training.train import Trainer

BACKEND = "eager"  # captures the graphs, which is where hooks get lost; needs no C++ compiler
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch's own, while tracing


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def losses(text: str, *, compiled: bool) -> list[float]:
    methods, model = quick(text), make_model()
    objective = Objective(model, methods)
    model.train()
    if compiled:
        assert compiling.compile_blocks(model, BACKEND) == 3
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    torch.manual_seed(1)
    random.seed(1)
    found = []
    for _ in range(2):
        loss = objective(make_batch()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    "text", [pytest.param("manifold-mixup", marks=pytest.mark.slow), "sat:smooth=attacker"]
)
def test_compiled_training_is_the_same_training(text: str) -> None:
    expected = losses(text, compiled=False)
    assert losses(text, compiled=True) == pytest.approx(expected, abs=1e-6)
    assert expected != losses("plain", compiled=False) or text != "manifold-mixup"


def test_an_edit_reaches_every_compiled_stage_and_is_gone_afterwards() -> None:
    model = make_model()
    compiling.compile_blocks(model, BACKEND)
    batch = make_batch()
    before = model(batch.x)
    for stage in model.stages:
        with training_forward(batch):
            with editing(stage, torch.zeros_like):
                assert not torch.allclose(model(batch.x), before)
            assert torch.equal(model(batch.x), before)


def test_an_edit_inside_a_compiled_block_is_refused() -> None:
    model = make_model()
    compiling.compile_blocks(model, BACKEND)
    with pytest.raises(UsageError, match="leave --compile out"), editing(model.network.two[1], abs):
        pass


def test_a_copy_has_weights_and_code_of_its_own() -> None:
    model = make_model()
    compiling.compile_blocks(model, BACKEND)
    copy, x = compiling.uncompiled(model), make_batch().x
    assert torch.equal(copy(x), model(x))
    before = model(x)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    assert torch.equal(model(x), before) and not copy(x).any()
    assert "forward" in model.network.two.__dict__, "the original stays compiled"
    with editing(copy.network.two[1], abs):
        pass


def test_a_chain_of_single_layers_is_refused() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    with pytest.raises(UsageError, match="a chain of single layers; leave --compile out"):
        compiling.compile_blocks(Model(network, (), "1", [0.0], [1.0]))


# --- through the trainer ---


def trainer(path: Path, monkeypatch: pytest.MonkeyPatch, compile_it: object) -> Trainer:
    monkeypatch.setattr("robustbench_cli.training.train.compile_blocks", compile_it)
    return Trainer(tiny(compile=True), open_data(Spirals(samples=40), Path()), path)


def test_a_run_asks_for_it_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Model] = []
    run = trainer(tmp_path, monkeypatch, asked.append).run()
    assert len(asked) == 1 and run.config["compile"] is True
    assert "compile=true" in tiny(compile=True).name


def test_gradients_of_gradients_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_second_gradients(model: Model) -> None:
        def refuse(*args: object) -> None:
            raise RuntimeError("torch.compile with aot_autograd does not support double backward")

        model.network.forward = refuse

    with pytest.raises(RunError, match="plain needs gradients of gradients"):
        trainer(tmp_path, monkeypatch, no_second_gradients).run()
