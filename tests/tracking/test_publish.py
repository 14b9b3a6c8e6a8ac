"""What lies in a run directory reaches a tracker whole, and once."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from fake_runs import draw, make_analysis, make_evaluation, make_run, make_transfer, save_transfer
from recorder import RECORDER, told
from tiny import attack_job

from robustbench_cli.errors import RobustmixError, RunError
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.run import Run
from robustbench_cli.tracking.memory import FILE
from robustbench_cli.tracking.publish import publish, publish_all

PNG = "89504e470d0a1a0a"


def test_epochs_results_and_pictures_of_a_finished_run(attacked_run: Path) -> None:
    assert publish(attacked_run, RECORDER) == ["2 epochs", "attacks", "decay-curve"]
    calls = [each["call"] for each in told(attacked_run)]
    assert calls == ["begin", "epoch", "epoch", "result", "picture", "end"]
    (result,), (picture,) = told(attacked_run, "result"), told(attacked_run, "picture")
    (evaluation,) = Run.open(attacked_run).evaluations()
    points = evaluation.accuracy().set_index("eps")["accuracy"]
    expected = {f"linf-fgsm/{eps}": share for eps, share in points.items()}
    assert result["numbers"] == {"linf-fgsm/0": evaluation.clean_accuracy, **expected}
    assert "95 % interval" in result["text"] and "Checks:" in result["text"]
    assert picture == {"call": "picture", "name": "decay-curve", "signature": PNG}


@pytest.mark.usefixtures("signed_pictures")
def test_only_what_is_new_is_told(attacked_run: Path) -> None:
    publish(attacked_run, RECORDER)
    before = told(attacked_run)
    assert publish(attacked_run, RECORDER) == []
    assert told(attacked_run) == before  # the tool was not even opened
    attack_job(attacked_run, "linf-fgsm", "0.03").run()
    assert publish(attacked_run, RECORDER) == ["attacks", "decay-curve"]
    assert "linf-fgsm/0.03" in told(attacked_run, "result")[-1]["numbers"]
    first, second = told(attacked_run, "begin")
    assert first["known"] is None and second["known"]


def test_transfers_and_analyses_too(tmp_path: Path) -> None:
    """Of somebody else's weights, which have no epochs."""
    source, target = make_run(tmp_path, "plain"), make_run(tmp_path, "mixup")
    save_transfer(source, make_transfer(draw(0.9, 0.2), source, target))
    make_analysis(source, "loss-landscape", Number("height", 0.5), Number("none", float("nan")))
    found = publish(source.path, RECORDER)
    assert found == ["transfer", "transfer-matrix", "analyses"]
    transfers, analyses = told(source.path, "result")
    (evaluation,) = source.transfers()
    for eps, share in zip(("0.1", "0.2"), evaluation.accuracy()["accuracy"], strict=True):
        assert transfers["numbers"][f"linf-pgd to {target.name}/{eps}"] == share
    assert analyses["numbers"] == {"loss-landscape/height": 0.5}  # NaN is no number to tell


@pytest.mark.usefixtures("signed_pictures")
def test_behind_a_defence_is_another_number(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for defence in (None, "jpeg"):
        identity = {"attack": "linf-pgd", "view": "deployed"}
        identity |= {"defence": defence} if defence else {}
        run.save(make_evaluation(draw(0.9, 0.2), epsilons="0.1", identity=identity))
    publish(run.path, RECORDER)
    (result,) = told(run.path, "result")
    assert set(result["numbers"]) == {
        f"linf-pgd{behind}/{eps}" for behind in ("", " behind jpeg") for eps in ("0", "0.1")
    }


@pytest.mark.usefixtures("signed_pictures")
def test_a_failure_is_an_error_here_and_a_warning_after_other_work(
    attacked_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = f"{RECORDER}:fail=picture"
    with pytest.raises(RunError, match=r"RuntimeError: out of order$"):
        publish(attacked_run, broken)
    assert told(attacked_run)[-1] == {"call": "end", "finished": False}
    with caplog.at_level(logging.WARNING):
        publish_all([attacked_run, attacked_run], [broken, RECORDER])
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.endswith(f"later: robustmix track {attacked_run} --to {broken}")
    assert told(attacked_run)[-1] == {"call": "end", "finished": True}


def test_a_run_that_the_tool_does_not_open_says_how_to_begin_anew(attacked_run: Path) -> None:
    broken = f"{RECORDER}:fail=begin"
    with pytest.raises(RunError, match=r"out of order$"):
        publish(attacked_run, broken)
    memory = attacked_run / FILE
    memory.write_text(f'{{"{broken}": {{"id": "gone"}}}}')
    with pytest.raises(RunError, match=f"to begin anew there: delete {memory}"):
        publish(attacked_run, broken)


def test_a_damaged_run_is_named(attacked_run: Path) -> None:
    shutil.rmtree(attacked_run / "attacks")
    (attacked_run / "history.csv").write_text("nonsense")
    with pytest.raises(RobustmixError, match=r"history\.csv"):
        publish(attacked_run, RECORDER)
