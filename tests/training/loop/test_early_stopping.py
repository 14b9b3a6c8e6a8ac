"""Early stopping on robust validation: which epoch is kept, on which images, after a kill too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import contents, tiny, train_job
from torch import nn

from robustbench_cli.data.dataset import Data, Images, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import UsageError
from robustbench_cli.jobs.stopping import watch, with_stopping
from robustbench_cli.runs.run import Run
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.deploy import load_predictor
from robustbench_cli.training.loop.early_stopping import evenly
from robustbench_cli.training.loop.validating import validate
from robustbench_cli.training.train import Trainer

STOP = "linf-pgd:steps=2"


def data() -> Data:
    return open_data(Spirals(samples=40), Path(), validation=0.3)


def config(**changes: object) -> TrainConfig:
    return with_stopping(tiny(epochs=4, stop_on=STOP, validation=0.3, lr=0.1, **changes))


class Script:
    """Says what it was told to, and remembers whom it was asked about."""

    def __init__(self, *answers: float) -> None:
        self.answers, self.seen = list(answers), []

    def __call__(self, model: nn.Module, images: Images) -> float:
        state = {k: v.clone() for k, v in model.state_dict().items()}
        self.seen.append((state, images))
        return self.answers[len(self.seen) - 1]


def test_the_best_epoch_is_kept_and_the_last_lies_beside(tmp_path: Path) -> None:
    script = Script(0.2, 0.6, 0.6, 0.4)
    run = Run.open(Trainer(config(), data(), tmp_path, watch=script).run().path)
    best, last = load_file(run.weights), load_file(tmp_path / "model-last.safetensors")
    for name, value in script.seen[1][0].items():  # the first of two equally good ones
        assert torch.equal(best[name], value)
    for name, value in script.seen[3][0].items():
        assert torch.equal(last[name], value)
    assert run.record["best_epoch"] == 2
    assert run.record["robust_validation"] == {"best": 0.6, "last": 0.4}
    assert run.history()["robust"].tolist() == [0.2, 0.6, 0.6, 0.4]
    kept = validate(load_predictor(run), data().validation).accuracy
    assert run.record["validation_accuracy"] == pytest.approx(kept)
    assert run.history()["validation"][1] == pytest.approx(kept)


def test_only_held_out_images_decide_never_test_images(tmp_path: Path) -> None:
    script, given = Script(0.0, 0.0, 0.0, 0.0), data()
    Trainer(config(), given, tmp_path, watch=script).run()
    for _, images in script.seen:
        assert images.digest() == given.validation.digest() != given.test.digest()


def test_looking_does_not_change_the_training(tmp_path: Path) -> None:
    watched = train_job(tmp_path / "a", epochs=3, stop_on=STOP, validation=0.3).run()
    alone = train_job(tmp_path / "b", epochs=3, validation=0.3).run()
    last = load_file(watched / "model-last.safetensors")
    for name, value in load_file(alone / "model.safetensors").items():
        assert torch.equal(last[name], value)


class Killed(BaseException):
    """As sudden as SIGKILL."""


@pytest.mark.parametrize("answers", [(0.9, 0.1, 0.2, 0.3), (0.1, 0.2, 0.9, 0.3)])
def test_a_killed_training_keeps_the_same_epoch(tmp_path: Path, answers: tuple[float, ...]) -> None:
    def progress(done: int, total: int, text: object) -> None:
        if done > 2.5 * total / 4:
            raise Killed

    Trainer(config(), data(), tmp_path / "a", watch=Script(*answers)).run()
    with pytest.raises(Killed):
        Trainer(config(), data(), tmp_path / "b", progress, Script(*answers[:2])).run()
    Trainer(config(), data(), tmp_path / "b", watch=Script(*answers[2:])).run()
    weights = [contents(tmp_path / name, "*.safetensors") for name in ("a", "b")]
    assert len(weights[0]) == 2 and weights[0] == weights[1]


def test_the_watch_is_the_attack_of_the_evaluation() -> None:
    """A linear classifier's accuracy under attack is known: its margin against eps times ‖w‖₁."""
    look = watch(config(stop_eps="0.1"))
    assert look
    points = torch.rand(50, 1, 1, 2)
    weight = torch.tensor([1.0, -1.0])
    lead = points.flatten(1) @ weight
    images = Images(points, (lead > 0).long())

    class Linear(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = x.flatten(1) @ weight
            return torch.stack([-score, score], 1)

    # two steps reach a corner of the ball, unless the pixels' range is in the way
    low, high = (points - 0.1).clamp(0, 1), (points + 0.1).clamp(0, 1)
    worst = torch.where(lead > 0, low[:, 0, 0, 0] - high[:, 0, 0, 1], 0)
    worst = torch.where(lead > 0, worst, low[:, 0, 0, 1] - high[:, 0, 0, 0])
    assert look(Linear(), images) == pytest.approx((worst > 0).float().mean().item())


def test_the_radius_is_the_methods_or_the_data_sets() -> None:
    assert config(method="pgd-at:eps=0.05").stop_eps == "0.05"
    assert config().stop_eps == Spirals.train_eps["linf"]
    assert config(stop_eps="3/255").stop_eps == "3/255"
    job = train_job(Path(), stop_on="linf-pgd:steps=40")
    assert job.config.stop_on == "linf-pgd", "40 steps are usual"
    assert "stop-on=linf-pgd" in job.path.name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop_on": "linf-pdg"}, "did you mean 'linf-pgd'"),
        ({"stop_on": "linf-pgd", "stop_eps": "8"}, "did you mean 8/255?"),
        ({"stop_on": "linf-pgd", "validation": 0.0}, "type --validation 0.1"),
        ({"stop_eps": "8/255"}, "type --stop-on linf-pgd too"),
        ({"stop_on": "l1-fgm"}, "spirals has no usual l1 epsilons; type them: --eps 1"),
    ],
)
def test_refusals(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        train_job(Path(), **settings)
    assert message in str(refusal.value)


def test_a_run_without_it_is_recorded_as_before() -> None:
    assert not {"stop_on", "stop_eps", "compile"} & set(tiny().as_dict())


def test_sorted_classes_stay_in_proportion() -> None:
    images = Images(torch.zeros(3000, 1, 1, 1), torch.arange(3).repeat_interleave(1000))
    assert evenly(images, 999).labels.bincount().tolist() == [333, 333, 333]
    assert evenly(images, 5000) is images
