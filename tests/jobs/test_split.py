"""``--split validation``: attacks on images that were held out, to choose settings by."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import TINY, attack_job, contents, train_job

from robustbench_cli.data.dataset import Dataset, open_data
from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.jobs import TransferJob
from robustbench_cli.reporting.report import table
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"


def rows(images) -> set[bytes]:  # type: ignore[no-untyped-def]
    return {image.numpy().tobytes() for image in images.pixels}


def test_the_attacked_images_are_those_held_out_and_none_of_the_test_images(runs: Path) -> None:
    data = open_data(build(Dataset, TINY["data"]), Path("unused"))
    test, train, held = map(rows, (data.test, data.train, data.validation))
    assert held and held.isdisjoint(test) and held.isdisjoint(train)
    evaluation = Evaluation.load(attack_job(runs / PLAIN, split="validation").run())
    assert evaluation.record["identity"]["data"] == data.validation.digest()
    assert evaluation.n == len(data.validation)
    first = evaluation.samples.drop_duplicates("index")
    assert first["label"].tolist() == data.validation.labels.tolist()


def test_the_clean_accuracy_is_the_one_that_training_ended_with(runs: Path) -> None:
    evaluation = Evaluation.load(attack_job(runs / PLAIN, split="validation").run())
    stored = Run.open(runs / PLAIN).record["validation_accuracy"]
    assert evaluation.clean_accuracy == pytest.approx(stored)


def test_the_two_kinds_of_results_never_meet(runs: Path) -> None:
    test, held = (attack_job(runs / PLAIN, split=split) for split in ("test", "validation"))
    test.run()
    before = contents(runs / PLAIN / "attacks")
    held.run()
    assert held.done() and held.path.parent.name == "validation"
    assert contents(runs / PLAIN / "attacks") == before
    run = Run.open(runs / PLAIN)
    assert [e.record["identity"].get("split") for e in run.evaluations()] == [None]
    seen = run.on("validation").evaluations()
    assert [e.record["identity"].get("split") for e in seen] == ["validation"]
    assert " test images" in str(table(run))
    assert " validation images" in str(table(run.on("validation")))


def test_only_some_of_them(runs: Path) -> None:
    whole, part = (
        Evaluation.load(attack_job(runs / PLAIN, split="validation", samples=n).run())
        for n in (None, 2)
    )
    assert part.n == 2 < whole.n
    first = whole.samples[whole.samples["index"] < 2].reset_index(drop=True)
    assert part.samples["label"].tolist() == first["label"].tolist()


def test_a_run_that_held_nothing_out_is_refused(tmp_path: Path) -> None:
    path = train_job(tmp_path, validation=0.0).run()
    with pytest.raises(UsageError, match="no images held out of the training: none were"):
        attack_job(path, split="validation").run()


def test_a_checkpoint_is_refused_since_nobody_knows(runs: Path) -> None:
    run = Run.open(runs / PLAIN)
    config = {k: v for k, v in run.config.items() if k in ("data", "model", "method")}
    run.update(config={**config, "checkpoint": "net.pt"})
    with pytest.raises(UsageError, match=r"nobody knows what net.pt was trained on"):
        attack_job(run.path, split="validation").run()


def test_other_training_images_are_refused(runs: Path) -> None:
    run = Run.open(runs / PLAIN)
    run.update(data={**run.record["data"], "train_digest": "0" * 16})
    with pytest.raises(RobustmixError, match="other training images"):
        attack_job(run.path, split="validation").run()


def test_transfers_are_of_test_images(runs: Path) -> None:
    config = attack_job(runs / PLAIN, split="validation").config
    with pytest.raises(UsageError, match="--split is for attack and sweep-epsilon"):
        TransferJob(runs / PLAIN, (runs / PLAIN,), config)


def test_no_such_split(runs: Path) -> None:
    with pytest.raises(UsageError, match="no split 'held'; type test, validation"):
        attack_job(runs / PLAIN, split="held")
