"""The loop: the same seed gives the same bytes, also after a kill in the middle."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import OPTIONS, contents, in_a_process, tiny, train_job

from robustbench_cli.data.dataset import Data, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import RunError
from robustbench_cli.runs.run import Run
from robustbench_cli.training.train import Trainer

SETTINGS = {
    "plain": {},
    "a method with statistics": {"method": "mixup+info-mixup:size=8"},
    "momentum and cosine": {"optimizer": "sgd", "lr": 0.2, "schedule": "cosine"},
    "step and weight decay": {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "step"},
    "bfloat16": {"precision": "bfloat16", "schedule": "cyclic"},
}


class Killed(BaseException):
    """As sudden as SIGKILL."""


def data(**options: object) -> Data:
    return open_data(Spirals(samples=40), Path(), **options)  # type: ignore[arg-type]


def kill_in(epoch: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int, text: object) -> None:
        if done > (epoch - 0.5) * total / 4:
            raise Killed

    return progress


def weights(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_killed_training_ends_with_the_same_bytes(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    config = tiny(epochs=4, **settings)
    straight = Trainer(config, data(), tmp_path / "straight").run()
    path = tmp_path / "killed"
    for epoch in (1, 3, 4):
        with pytest.raises(Killed):
            Trainer(config, data(), path, kill_in(epoch)).run()
        assert not Run.open(path).finished
        assert (path / "checkpoint.pt").exists() == (epoch > 1)
    torch.manual_seed(12345)  # whatever else the process did meanwhile
    resumed = Trainer(config, data(), path).run()
    assert weights(path) == weights(straight.path)
    timeless = [run.history().drop(columns="seconds") for run in (resumed, straight)]
    assert timeless[0].equals(timeless[1])
    assert sorted(contents(path)) == ["history.csv", "model.safetensors", "run.json"]


def test_a_resumed_training_does_not_repeat_finished_epochs(tmp_path: Path) -> None:
    config, seen = tiny(epochs=4), []
    with pytest.raises(Killed):
        Trainer(config, data(), tmp_path, kill_in(3)).run()
    Trainer(config, data(), tmp_path, lambda done, total, text: seen.append(text())).run()
    assert {line.partition(" loss")[0].strip() for line in seen} == {"epoch 3/4", "epoch 4/4"}


@pytest.mark.slow
def test_sigkill_and_the_same_command_again(tmp_path: Path) -> None:
    """Through the command line, on the real signal."""
    command = ["-m", "robustbench_cli", "train", *OPTIONS, "--epochs", "200"]
    history = tmp_path / "runs" / tiny(epochs=200).name / "history.csv"
    deadline = time.monotonic() + 60
    with in_a_process(*command, cwd=tmp_path):  # killed at the end
        while not history.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not Run.open(history.parent).finished, "it was faster than the signal"
    assert 0 < len(Run.open(history.parent).history()) < 200
    resumed = train_job(tmp_path / "runs", epochs=200).run()
    straight = train_job(tmp_path / "straight", epochs=200).run()
    assert weights(resumed) == weights(straight)
    assert not list(resumed.glob(".*")), "nothing half written stays"


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    paths = [
        Trainer(tiny(seed=seed), data(seed=seed), tmp_path / name).run().path
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert weights(paths[0]) == weights(paths[1]) != weights(paths[2])


# --- what a run says of itself ---


def test_the_history_has_a_row_per_epoch(tmp_path: Path) -> None:
    config = tiny(epochs=3, method="info-mixup:size=8", schedule="step")
    history = Trainer(config, data(), tmp_path).run().history()
    held_out = ["validation", "validation_loss"]
    expected = ["epoch", "loss", *held_out, "learning_rate", "seconds", "edge"]
    assert list(history.columns) == expected
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["loss"].is_monotonic_decreasing
    assert history["learning_rate"].tolist() == pytest.approx([1e-3, 1e-4, 1e-5])
    assert history["validation"].between(0, 1).all() and (history["seconds"] > 0).all()


def test_a_run_records_what_it_was_trained_on(tmp_path: Path) -> None:
    given = data(train_fraction=0.5, label_noise=0.25, seed=3)
    config = tiny(train_fraction=0.5, label_noise=0.25, seed=3)
    run = Run.open(Trainer(config, given, tmp_path).run().path)
    assert run.finished and run.config == config.as_dict()
    assert run.config["label_noise"] == 0.25 and run.config["train_fraction"] == 0.5
    facts = run.record["data"]
    assert facts["train_size"] == len(given.train) == 18
    assert facts["train_digest"] == given.train.digest() != data(seed=3).train.digest()
    assert facts["classes"] == ["arm 1", "arm 2"] and facts["shape"] == [1, 1, 2]
    assert run.record["seconds"] > 0 and "thread" in run.record["device"]
    last = run.history().iloc[-1]
    assert run.record["validation_accuracy"] == pytest.approx(last["validation"])
    assert run.record["validation_loss"] == pytest.approx(last["validation_loss"])


def test_label_noise_changes_the_labels_that_are_trained_on(tmp_path: Path) -> None:
    job = train_job(tmp_path, label_noise=0.5)
    clean = train_job(tmp_path)
    assert weights(job.run()) != weights(clean.run())
    assert "label-noise=0.5" in job.path.name


def test_the_normalisation_travels_with_the_weights(tmp_path: Path) -> None:
    given = data()
    trained = load_file(Trainer(tiny(), given, tmp_path / "a").run().weights)
    np.testing.assert_allclose(trained["normalise.mean"].flatten(), given.mean, rtol=1e-6)
    bare = load_file(Trainer(tiny(normalise=False), given, tmp_path / "b").run().weights)
    assert bare["normalise.mean"].item() == 0 and bare["normalise.std"].item() == 1


def test_no_epochs_are_a_network_as_it_was_drawn(tmp_path: Path) -> None:
    run = Trainer(tiny(epochs=0), data(), tmp_path).run()
    assert run.finished and run.history().empty


def test_no_validation_images_are_no_obstacle(tmp_path: Path) -> None:
    run = Trainer(tiny(validation=0.0), data(validation=0.0), tmp_path).run()
    assert run.finished
    assert run.history()[["validation", "validation_loss"]].isna().all(axis=None)
    json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)


# --- refusals ---


def test_a_loss_that_is_no_number_stops_with_one_line(tmp_path: Path) -> None:
    config = tiny(optimizer="sgd", lr=1e9, epochs=20)
    with pytest.raises(RunError, match=r"the loss is (nan|inf) in epoch .* try a smaller --lr"):
        Trainer(config, data(), tmp_path).run()
    assert not Run.open(tmp_path).finished


def test_another_config_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    Trainer(tiny(), data(), tmp_path).run()
    with pytest.raises(RunError, match=r"has other settings \(lr 0.001, asked for 0.5\)") as e:
        Trainer(tiny(lr=0.5), data(), tmp_path).run()
    assert "--force" in str(e.value) and "\n" not in str(e.value)


def test_a_run_begun_on_other_images_is_refused(tmp_path: Path) -> None:
    config = tiny(epochs=4)
    with pytest.raises(Killed):
        Trainer(config, data(), tmp_path, kill_in(3)).run()
    other = open_data(Spirals(samples=40, seed=1), Path())
    with pytest.raises(RunError, match="other data than spirals:samples=40 holds now"):
        Trainer(config, other, tmp_path).run()
    Trainer(config, data(), tmp_path).run()


@pytest.mark.parametrize("damage", ["cut", "garbage", "another network"])
def test_a_checkpoint_that_cannot_be_resumed_is_one_line(tmp_path: Path, damage: str) -> None:
    config = tiny(epochs=4)
    with pytest.raises(Killed):
        Trainer(config, data(), tmp_path, kill_in(3)).run()
    checkpoint = tmp_path / "checkpoint.pt"
    if damage == "cut":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    elif damage == "garbage":
        checkpoint.write_text("<html>")
    else:
        torch.save({"model": {}}, checkpoint)
    with pytest.raises(RunError, match=r"cannot be resumed \(\w+\); remove it, or type --force"):
        Trainer(config, data(), tmp_path).run()


def test_a_checkpoint_is_never_run_as_code(tmp_path: Path) -> None:
    config = tiny(epochs=4)
    with pytest.raises(Killed):
        Trainer(config, data(), tmp_path, kill_in(3)).run()
    mark = tmp_path / "mark"
    torch.save({"model": _Touches(mark)}, tmp_path / "checkpoint.pt")
    with pytest.raises(RunError, match="cannot be resumed"):
        Trainer(config, data(), tmp_path).run()
    assert not mark.exists()


class _Touches:
    """A pickle that creates a file where it is read with trust."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)
