"""What a run knows of its images: which of the test images it has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny

from robustbench_cli.data.dataset import Data, Images, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.runs.run import Run
from robustbench_cli.training.loop.files import open_run, overlap
from robustbench_cli.training.train import Trainer
from robustbench_cli.trust.examine import examine_runs


def data() -> Data:
    return open_data(Spirals(samples=40), Path())


def leaking(part: str) -> Data:
    """Ten of the test images are in the training or the held-out part, too."""
    given = data()
    mine: Images = getattr(given, part)
    pixels = torch.cat([mine.pixels, given.test.pixels[:10]])
    both = Images(pixels, torch.cat([mine.labels, given.test.labels[:10]]))
    return replace(given, **{part: both})


def test_images_that_are_in_two_parts_are_counted() -> None:
    assert overlap(data()) == {"size": 40, "train": 0, "validation": 0}
    assert overlap(leaking("train")) == {"size": 40, "train": 10, "validation": 0}
    assert overlap(leaking("validation")) == {"size": 40, "train": 0, "validation": 10}


@pytest.mark.parametrize(("part", "level"), [("train", "failure"), ("", "pass")])
def test_what_training_has_seen_is_said_beside_every_attack(
    tmp_path: Path, part: str, level: str
) -> None:
    given = leaking(part) if part else data()
    trainer = Trainer(tiny(), given, tmp_path / "run")
    run = trainer.run()
    run.save(evaluate_model(trainer.model, given.test, "linf-fgsm", grid(["0.01"])))
    (findings,) = examine_runs([run]).values()
    assert [f.level for f in findings if f.check == "seen-test-images"] == [level]


def test_a_run_from_before_that_was_counted_goes_on(tmp_path: Path) -> None:
    config, given = tiny(), data()
    run = open_run(tmp_path, config, given)
    facts = dict(run.record["data"])
    assert facts.pop("test_images") == overlap(given)
    run.update(data=facts)
    assert open_run(tmp_path, config, given).record["data"] == facts
    with pytest.raises(RunError, match="made with other data than"):
        open_run(tmp_path, config, leaking("train"))
    assert Run.open(tmp_path).record["data"] == facts
