"""From a run to the network that is attacked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny, train_job
from torch import Tensor, nn

from robustbench_cli.data.dataset import open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code
from robustbench_cli.training.deploy import Predictor, load_predictor
from robustbench_cli.training.method import Method, Predict
from robustbench_cli.training.methods.advprop import DualBatchNorm
from robustbench_cli.training.methods.sat import SmoothBackwardReLU
from robustbench_cli.training.train import Trainer

X = torch.rand(5, 1, 1, 2, generator=torch.Generator().manual_seed(0))
NETWORK = '''
from robustbench_cli import Method
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.ReLU()
        self.head = nn.Linear(6, num_classes)

    def forward(self, x):
        return self.head(self.act(self.norm(self.conv(x))).flatten(1))

class Tenfold(Method):
    """A defence at test time."""

    def predict(self, model, x, rest):
        return 10 * rest(model, x)
'''


def trained(folder: Path, **settings: object) -> tuple[Run, Model]:
    """A run, and the network as it was at the end of its training."""
    config = tiny(**settings)
    data = open_data(Spirals(samples=40), Path())
    trainer = Trainer(config, data, folder / config.name)
    return trainer.run(), trainer.model.eval()


def kinds(model: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in model.modules()}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's own, with a convolutional network and a defence."""
    (tmp_path / "deploy_lab.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    return "deploy_lab"


@pytest.mark.parametrize("method", ["plain", "mixup+pgd-at:steps=2", "info-mixup:size=4"])
def test_what_was_trained_is_what_is_attacked(tmp_path: Path, method: str) -> None:
    run, model = trained(tmp_path, method=method)
    loaded = load_predictor(run)
    assert torch.equal(loaded(X), model(X)) and not loaded.training


@pytest.mark.parametrize("smooth", ["backward", "attacker", "optimiser"])
def test_sat_backward_deploys_relu(tmp_path: Path, smooth: str) -> None:
    run, model = trained(tmp_path, method=f"sat:smooth={smooth}")
    assert SmoothBackwardReLU in kinds(model)
    loaded = load_predictor(run)
    assert nn.ReLU in kinds(loaded) and SmoothBackwardReLU not in kinds(loaded)
    assert torch.equal(loaded(X), model(X))


def test_sat_full_deploys_what_it_was_trained_with(tmp_path: Path) -> None:
    run, model = trained(tmp_path, method="sat")
    loaded = load_predictor(run)
    assert nn.Softplus in kinds(loaded) and nn.ReLU not in kinds(loaded)
    assert torch.equal(loaded(X), model(X))


def test_advprop_deploys_the_main_norms(tmp_path: Path, lab: str) -> None:
    run, model = trained(tmp_path, model=f"{lab}:Net", method="advprop:steps=1")
    (dual,) = [m for m in model.modules() if isinstance(m, DualBatchNorm)]
    assert not torch.equal(dual.main.running_mean, dual.aux.running_mean)
    loaded = load_predictor(run)
    (norm,) = [m for m in loaded.modules() if isinstance(m, nn.BatchNorm2d)]
    assert DualBatchNorm not in kinds(loaded)
    assert torch.equal(norm.running_mean, dual.main.running_mean)
    assert torch.equal(loaded(X), model(X))


def test_a_defence_at_test_time_stands_in_front_unless_the_view_is_bare(
    tmp_path: Path, lab: str
) -> None:
    run, model = trained(tmp_path, method=f"{lab}:Tenfold")
    torch.testing.assert_close(load_predictor(run)(X), 10 * model(X))
    assert torch.equal(load_predictor(run, view="bare")(X), model(X))


def test_defences_are_applied_left_to_right() -> None:
    class Adds(Method):
        def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
            return rest(model, x) + 1

    class Doubles(Method):
        def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
            return 2 * rest(model, x)

    predictor = Predictor(nn.Identity(), [Doubles(), Adds()])  # type: ignore[arg-type]
    assert torch.equal(predictor(torch.zeros(3)), torch.full((3,), 2.0))


# --- code of the user's own ---


def test_a_run_that_names_foreign_code_is_refused_until_it_is_allowed(
    tmp_path: Path, lab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, model = trained(tmp_path, model=f"{lab}:Net", method=f"{lab}:Tenfold")
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())  # as in a new process
    with pytest.raises(UsageError, match=f"if you trust it: --allow-code {lab}"):
        load_predictor(Run.open(run.path))
    allow_code(lab)
    torch.testing.assert_close(load_predictor(Run.open(run.path))(X), 10 * model(X))


@pytest.mark.parametrize("key", ["model", "method_resolved", "data"])
def test_every_entry_of_run_json_is_distrusted(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_lab.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    path = train_job(tmp_path / "runs").run()
    record = json.loads((path / "run.json").read_text())
    record["config"][key] = "evil_lab:Evil"
    (path / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="--allow-code evil_lab"):
        load_predictor(Run.open(path))


# --- damage ---


def test_an_unfinished_run(tmp_path: Path) -> None:
    run, _ = trained(tmp_path)
    with pytest.raises(RunError, match="is not finished; go on with: robustmix train"):
        load_predictor(run.update(status="training"))


@pytest.mark.parametrize("damage", ["cut", "empty", "another network", "one tensor less"])
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, damage: str) -> None:
    run, _ = trained(tmp_path)
    if damage == "cut":
        run.weights.write_bytes(run.weights.read_bytes()[:-10])
    elif damage == "empty":
        run.weights.write_bytes(b"")
    else:
        state = load_file(run.weights)
        name = next(name for name in state if name.endswith("head.weight"))
        if damage == "another network":
            state[name] = torch.zeros(7, 7)
        else:
            del state[name]
        save_file(state, run.weights)
    with pytest.raises(RunError, match="does not fit mlp:width=16 with plain: ") as refusal:
        load_predictor(run)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "facts", [None, {}, {"shape": [1, 1, 2]}, {"shape": 3, "classes": ["a"]}, {"classes": 2}]
)
def test_a_run_without_facts_about_its_data(tmp_path: Path, facts: object) -> None:
    run, _ = trained(tmp_path)
    with pytest.raises(RunError, match=r"run.json lacks .*; train the run again"):
        load_predictor(run.update(data=facts))
