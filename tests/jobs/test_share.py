"""Shares of a list of jobs: together they are all of it, and what belongs together stays so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.cli import main
from robustbench_cli.errors import UsageError
from robustbench_cli.jobs import AttackJob, TrainJob, Where
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.jobs.share import Share
from robustbench_cli.training.config import TrainConfig

WHERE = Where(Path("nowhere"))
TRAIN = [TrainJob(TrainConfig(seed=seed).resolve(), WHERE) for seed in range(7)]
ATTACK = [
    AttackJob(job.path, make_attack_config(text, "digits"), WHERE)
    for text in ("linf-fgsm", "linf-pgd")
    for job in TRAIN
]


@given(st.integers(1, 9))
def test_all_shares_together_are_all_jobs_each_once(of: int) -> None:
    dealt = [job for k in range(1, of + 1) for job in Share(k, of).choose(ATTACK)]
    assert len(dealt) == len(ATTACK) and set(dealt) == set(ATTACK)
    sizes = [len(Share(k, of).choose(TRAIN)) for k in range(1, of + 1)]
    assert max(sizes) - min(sizes) <= 1


def test_a_run_is_attacked_in_the_part_that_trains_it() -> None:
    mine = {job.path for job in Share(2, 3).choose(TRAIN)}
    assert {job.target for job in Share(2, 3).choose(ATTACK)} == mine and len(mine) == 2


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", ""])
def test_what_is_no_share_is_refused_with_what_to_type(text: str) -> None:
    with pytest.raises(UsageError, match="expected K/N with K from 1 to N, as 1/4 to 4/4"):
        Share.parse(text)


def test_parts_of_an_experiment_meet_in_one_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "both.toml"
    file.write_text(
        '[train]\nmodel = "mlp:width=8"\nepochs = 1\nseeds = 2\n'
        '[[attack]]\nattack = "linf-fgsm"\neps = "0.1"\nsamples = 20\nchecks = "off"\n'
        '[[transfer]]\nattack = "linf-fgsm"\neps = "0.1"\nsamples = 20\n'
    )
    command = ["run", str(file), "--runs-dir", str(tmp_path / "runs"), "-j", "1"]
    assert main([*command, "--part", "1/2"]) == 0
    told = capsys.readouterr()
    assert told.out == "" and "1 transfers wait for runs of other parts" in told.err
    assert [path.name[-2:] for path in (tmp_path / "runs").iterdir()] == ["s0"]
    assert main([*command, "--part", "2/2"]) == 0
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    assert len(before) == 2
    assert main(command) == 0
    assert "2 runs, 20 test images" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
