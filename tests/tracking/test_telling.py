"""Trackers hear of every epoch once, while a run trains; and what they do wrong costs no run."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from recorder import RECORDER, Recorder, told
from tiny import contents, train_job

import robustbench_cli
import robustbench_cli.training.train as training
from robustbench_cli.errors import UsageError
from robustbench_cli.files import read_json, write_json
from robustbench_cli.jobs import TrainJob
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code
from robustbench_cli.tracking.memory import FILE

EPOCHS = 3


def job(folder: Path, *track: str, force: bool = False) -> TrainJob:
    made = train_job(folder, epochs=EPOCHS, force=force)
    return TrainJob(made.config, made.where, force, track or (RECORDER,))


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int, error: type[BaseException]) -> None:
    """End the training in the epoch behind `after`."""
    whole = training.Trainer._epoch

    def partly(trainer: training.Trainer, epoch: int) -> dict[str, float]:
        if epoch == after:
            raise error
        return whole(trainer, epoch)

    monkeypatch.setattr(training.Trainer, "_epoch", partly)


def test_every_epoch_is_told_while_the_run_trains(tmp_path: Path) -> None:
    """By a job that has travelled as jobs do; with the numbers of history.csv."""
    allow_code("recorder")
    run = pickle.loads(pickle.dumps(job(tmp_path))).run()
    calls = told(run)
    assert [each["call"] for each in calls] == ["begin", *["epoch"] * EPOCHS, "end"]
    assert calls[0]["name"] == run.name and calls[0]["config"] == Run.open(run).config
    assert calls[0]["known"] is None and calls[-1]["finished"]
    assert not any(each["trained"] for each in calls[1:-1])
    rows = pd.read_csv(run / "history.csv").to_dict("records")
    for each, row in zip(calls[1:-1], rows, strict=True):
        assert {"epoch": each["number"], **each["numbers"]} == pytest.approx(row)


def test_a_run_that_goes_on_goes_on_in_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2, KeyboardInterrupt)
        job(tmp_path).run()
    assert not told(job(tmp_path).path, "end")[-1]["finished"]
    run = job(tmp_path).run()
    first, second = told(run, "begin")
    assert second["known"] == read_json(run / FILE)[RECORDER]["id"]
    assert [each["number"] for each in told(run, "epoch")] == [1, 2, 3]
    assert first["known"] is None and told(run, "end")[-1]["finished"]


def test_what_was_trained_before_a_tracker_came_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2, KeyboardInterrupt)
        train_job(tmp_path, epochs=EPOCHS).run()
    run = job(tmp_path).run()
    assert [each["number"] for each in told(run, "epoch")] == [1, 2, 3]


def test_where_the_tool_has_lost_the_run_all_is_told_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 2, KeyboardInterrupt)
        job(tmp_path).run()
    (job(tmp_path).path / "told.jsonl").unlink()
    run = job(tmp_path).run()
    assert [each["number"] for each in told(run, "epoch")] == [1, 2, 3]


def test_force_trains_and_tells_anew(tmp_path: Path) -> None:
    run = job(tmp_path).run()
    job(tmp_path, force=True).run()
    assert [each["known"] for each in told(run, "begin")] == [None]


@pytest.mark.parametrize("call", ["begin", "epoch", "end"])
@pytest.mark.parametrize("error", ["RuntimeError", "SystemExit"])
def test_a_tracker_that_fails_costs_a_warning_and_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str, error: str
) -> None:
    """The other tracker hears everything; the weights are those of a training without any."""
    broken = str(Recorder(fail=call, error=error))
    with caplog.at_level(logging.WARNING):
        run = job(tmp_path / "a", broken, RECORDER).run()
    lines = [record.getMessage() for record in caplog.records]
    later = f"later: robustmix track {run} --to {broken}"
    assert lines == [f"warning: --track {broken}, {run.name}: {error}: out of order; {later}"]
    assert Run.open(run).finished
    last = [each for each in told(run) if each["call"] == "end"]
    assert len(last) == (1 if call != "epoch" else 2)  # the broken one may say goodbye
    plain = train_job(tmp_path / "b", epochs=EPOCHS).run()
    assert contents(run, "*.safetensors") == contents(plain, "*.safetensors")


def test_what_was_heard_before_a_failure_is_remembered(tmp_path: Path) -> None:
    run = job(tmp_path, f"{RECORDER}:fail=end").run()
    assert read_json(run / FILE)[f"{RECORDER}:fail=end"]["epochs"] == EPOCHS


def test_what_a_tracker_prints_is_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job(tmp_path).run()
    seen = capsys.readouterr()
    assert seen.out == "" and "a tracker that talks" in seen.err


def test_a_run_that_fails_is_told_to_have_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, 1, ValueError)
    with pytest.raises(ValueError):
        job(tmp_path).run()
    assert told(job(tmp_path).path)[-1] == {"call": "end", "finished": False}


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "../elsewhere"},
        {"id": 3},
        {"epochs": -1},
        {"epochs": True},
        {"results": {"attacks": 1}},
        {"more": 1},
        [1],
    ],
    ids=str,
)
def test_a_damaged_memory_is_named_and_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, entry: Any
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1, KeyboardInterrupt)
        job(tmp_path).run()
    path = job(tmp_path).path
    write_json(path / FILE, {RECORDER: entry})
    with caplog.at_level(logging.WARNING):
        assert Run.open(job(tmp_path).run()).finished
    (line,) = (record.getMessage() for record in caplog.records)
    assert f"{path / FILE} is damaged; delete it" in line


def test_the_time_of_trackers_is_not_the_training_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that only the tracker moves."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(training.time, "monotonic", lambda: clock.now)

    def slow(*_: object) -> None:
        clock.now += 100

    monkeypatch.setattr(Recorder, "epoch", slow)
    run = Run.open(job(tmp_path).run())
    assert clock.now == 100 * EPOCHS and run.record["seconds"] == 0


def test_a_notebook_s_training_tells_too(tmp_path: Path) -> None:
    options = {"data": "spirals:samples=40", "model": "mlp:width=16", "epochs": 1}
    run = robustbench_cli.train(runs_dir=tmp_path, track=Recorder(), **options)
    assert [each["call"] for each in told(run.path)] == ["begin", "epoch", "end"]
    with pytest.raises(UsageError, match="no tracker named 'tensorbord'"):
        robustbench_cli.train(runs_dir=tmp_path, track=["tensorbord"], **options)
