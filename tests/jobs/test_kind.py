"""Which jobs take the same memory of a GPU, as far as their settings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import make_run
from tiny import attack_job, train_job

from robustbench_cli.jobs import AnalyseJob, Job, TransferJob, Where
from robustbench_cli.jobs.analyse import make_question


def kinds(*jobs: Job) -> int:
    return len({job.kind for job in jobs})


def test_seeds_and_rates_of_a_training_make_no_difference(tmp_path: Path) -> None:
    job = train_job(tmp_path)
    assert kinds(job, *(train_job(tmp_path, seed=seed) for seed in (1, 2))) == 1
    assert kinds(job, train_job(tmp_path, lr=0.01), train_job(tmp_path, epochs=30)) == 1


@pytest.mark.parametrize(
    "change",
    [{"batch_size": 64}, {"method": "pgd-at"}, {"model": "mlp:width=32"}, {"optimizer": "adamw"}],
    ids=str,
)
def test_what_may_make_a_difference_is_another_kind(
    tmp_path: Path, change: dict[str, object]
) -> None:
    assert kinds(train_job(tmp_path), train_job(tmp_path, **change)) == 2


def test_a_training_has_done_everything_after_an_epoch(tmp_path: Path) -> None:
    for epochs, whole in ((0, 1), (1, 1), (4, 0.25)):
        kind = train_job(tmp_path, epochs=epochs).kind
        assert kind and kind.whole == whole


def test_attacks_on_networks_of_one_method_are_alike(tmp_path: Path) -> None:
    plain, again = (make_run(tmp_path, "plain", seed) for seed in (0, 1))
    other = make_run(tmp_path, "smoothing")
    assert kinds(attack_job(plain.path), attack_job(again.path, seed=3)) == 1
    assert kinds(attack_job(plain.path), attack_job(other.path)) == 2
    assert kinds(attack_job(plain.path), attack_job(plain.path, batch_size=8)) == 2
    job = attack_job(plain.path)
    assert job.kind != AnalyseJob(plain.path, make_question("margin", "digits")).kind
    first, second = (TransferJob(plain.path, (to.path,), job.config) for to in (again, other))
    assert kinds(job, first, second) == 3


def test_a_run_that_is_not_there_is_like_no_other(tmp_path: Path) -> None:
    assert kinds(attack_job(tmp_path / "a"), attack_job(tmp_path / "b")) == 2


@pytest.mark.parametrize(
    ("device", "meant"), [("auto", True), ("cuda", True), ("cuda:1", False), ("cpu", False)]
)
def test_only_who_may_use_the_gpu_of_a_worker_has_a_kind(device: str, meant: bool) -> None:
    job = replace(train_job(Path()), where=Where(device=device))
    assert (job.kind is not None) == meant
