"""Defences put before finished runs: found, refused, recorded, and never mixed with others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TINY, attack_job, train_job

from robustbench_cli.api import evaluate
from robustbench_cli.cli import main
from robustbench_cli.errors import CompositionError, RunError, UsageError
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import AttackJob, TransferJob, Where
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.jobs.inputs import training_images
from robustbench_cli.reporting.numbers.frame import collect
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.training.deploy import Predictor, build_defences, defences, load_predictor
from robustbench_cli.training.methods.noisy_inference import NoisyInference

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
NOISY = "noisy-inference:draws=3,sigma=0.2"


@pytest.fixture
def run(runs: Path) -> Run:
    return Run.open(runs / PLAIN)


def test_the_network_behind_a_defence_is_the_same_network(run: Run) -> None:
    bare, behind = load_predictor(run), load_predictor(run, defence="bit-depth")
    assert isinstance(behind, Predictor) and not behind.training
    x = torch.rand(5, 1, 1, 2)
    assert torch.equal(behind(x), bare((x * 7).round() / 7))
    assert torch.equal(load_predictor(run, view="bare", defence="bit-depth")(x), bare(x))


def test_a_defence_is_what_training_with_it_would_have_been(tmp_path: Path) -> None:
    apart, joined = (
        Run.open(train_job(tmp_path / "runs", method=m).run()) for m in ("plain", f"plain+{NOISY}")
    )
    assert apart.weights_digest == joined.weights_digest
    jobs = [attack_job(apart.path, defence=NOISY), attack_job(joined.path)]
    first, second = (Evaluation.load(job.run()) for job in jobs)
    assert first.samples.equals(second.samples)


def test_it_is_part_of_the_identity_and_recorded(run: Run) -> None:
    bare, behind = attack_job(run.path), attack_job(run.path, defence=NOISY)
    assert bare.path != behind.path and not behind.done()
    assert behind.label.endswith(f"behind {NOISY}")
    found = Evaluation.load(behind.run())
    assert behind.done() and not bare.done()
    assert found.record["identity"]["defence"] == NOISY
    assert found.record["defences"] == [{"name": "noisy-inference", "draws": 3, "sigma": 0.2}]
    assert "defence" not in Evaluation.load(bare.run()).record["identity"]


def test_the_same_command_twice_gives_the_same_rows(run: Run) -> None:
    first = Evaluation.load(attack_job(run.path, "linf-pgd:steps=2", defence=NOISY).run())
    again = attack_job(run.path, "linf-pgd:steps=2", defence=NOISY, force=True)
    assert Evaluation.load(again.run()).samples.equals(first.samples)


def test_the_cost_counts_every_draw(run: Run) -> None:
    costs = [
        Evaluation.load(attack_job(run.path, defence=defence, checks="off").run()).record["cost"]
        for defence in (None, NOISY)
    ]
    assert costs[1]["forwards"] >= 2.5 * costs[0]["forwards"] > 0
    assert costs[1]["backwards"] >= 2.5 * costs[0]["backwards"] > 0


def test_plain_is_no_defence(run: Run) -> None:
    assert attack_job(run.path, defence="plain").path == attack_job(run.path).path


# --- training images ---


def test_a_pool_comes_from_the_images_that_were_trained_on(run: Run) -> None:
    train = training_images(run, Where(run.path.parent))
    assert train.digest() == run.record["data"]["train_digest"]
    job = attack_job(run.path, defence="mixup-inference:draws=2")
    rows = Evaluation.load(job.run()).samples
    assert np.isfinite(rows["eps"].astype(float)).all() and job.done()


def test_training_images_that_are_not_there_any_more_are_one_line(run: Run) -> None:
    facts = {**run.record["data"], "train_digest": "0" * 16}
    changed = run.update(data=facts)
    with pytest.raises(RunError, match=r"other data than spirals.* other training images"):
        attack_job(changed.path, defence="mixup-inference").run()
    attack_job(changed.path, defence="bit-depth").run()  # which needs none
    with pytest.raises(UsageError, match="mixup-inference needs training images"):
        load_predictor(run, defence="mixup-inference")


# --- refusals ---


def test_a_training_method_is_no_defence() -> None:
    with pytest.raises(UsageError, match=r"pgd-at is no defence at test time: robustmix train "):
        build_defences("jpeg+pgd-at")
    assert {"jpeg", "rotation", "smoothing", "mixup-inference"} <= set(defences())
    assert not {"plain", "noise", "vib", "sat", "advprop"} & set(defences())
    assert build_defences("plain") == build_defences(None) == []


def test_a_defence_in_the_bare_view_is_refused() -> None:
    with pytest.raises(UsageError, match="the bare view leaves jpeg out"):
        make_attack_config("linf-fgsm", TINY["data"], defence="jpeg", view="bare")


def test_transfers_take_no_defence(run: Run) -> None:
    config = make_attack_config("linf-fgsm", TINY["data"], defence="jpeg")
    with pytest.raises(UsageError, match="--defence is for attack and sweep-epsilon"):
        TransferJob(run.path, (run.path,), config)


def test_a_defence_stands_once(tmp_path: Path) -> None:
    path = train_job(tmp_path / "runs", method="plain+bit-depth").run()
    with pytest.raises(CompositionError, match="bit-depth is given twice"):
        attack_job(path, defence="bit-depth:bits=4").run()


# --- certificates ---


def test_certificates_are_of_the_bare_network(run: Run) -> None:
    spec = "certify:sigma=0.25,n=40,n0=10"
    alone = attack_job(run.path, spec, "0.1", samples=5)
    behind = attack_job(run.path, spec, "0.1", samples=5, defence="smoothing:n=7")
    assert alone.path == behind.path and alone.config.view == "bare"
    found = Evaluation.load(alone.run())
    assert alone.done() and found.record["defences"] == []
    for other in ("jpeg", "smoothing:sigma=0.5"):
        with pytest.raises(UsageError, match="says nothing of a network behind"):
            attack_job(run.path, spec, defence=other)


# --- tables, files, the command line ---


def test_a_defended_network_is_a_group_of_its_own(run: Run) -> None:
    for defence in (None, NOISY):
        attack_job(run.path, defence=defence).run()
    attack_job(run.path, "certify:n=20,n0=5", "0.1").run()
    frame = collect([run])
    labels = dict(frame.drop_duplicates("label")[["label", "method"]].to_numpy())
    assert labels == {"plain": "plain", f"plain + {NOISY}": f"plain+{NOISY}"}
    assert frame["group"].nunique() == 2
    certified = frame[frame["attack"] == "certify:n=20,n0=5"]
    assert set(certified["view"]) == {"smoothed"} and set(certified["label"]) == {"plain"}


def test_experiments_and_python_take_defences(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    section = f'[train]\ndata = "{TINY["data"]}"\n[[attack]]\ndefence = ["plain", "jpeg"]\n'
    file.write_text(section)
    jobs = read_experiment(file, Where()).attack
    assert [job.config.defence for job in jobs] == [None, "jpeg"]
    asked = NoisyInference(sigma=0.2, draws=3)
    found = evaluate(run, attack="linf-fgsm", epsilons="0.01", defence=asked, checks="off")
    assert found.record["identity"]["defence"] == NOISY


def test_the_command_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["attack", str(run.path), "-a", "linf-fgsm", "-e", "0.01", "--json", "-q"]
    assert main([*command, "--defence", "plain", "--defence", NOISY]) == 0
    curves = json.loads(capsys.readouterr().out)["curves"]
    assert [curve["method"] for curve in curves] == ["plain", f"plain+{NOISY}"]
    assert main([*command, "--defence", "pgd-at"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no defence at test time" in error
    proof = ["attack", str(run.path), "-a", "certify:n=20,n0=5", "-e", "0.1", "-q"]
    assert main(proof) == 0
    assert "certified accuracy of the smoothed network" in capsys.readouterr().out


def test_jobs_are_plain_data(run: Run) -> None:
    job = attack_job(run.path, defence=NOISY)
    assert isinstance(job, AttackJob) and job == attack_job(run.path, defence=NOISY)
