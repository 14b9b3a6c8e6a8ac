"""Analyses of run directories: done once, noticed when stale, resumed when killed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tiny import TINY, contents, in_a_process

from robustbench_cli import analyse
from robustbench_cli.errors import UsageError
from robustbench_cli.jobs import AnalyseJob, Where, make_question
from robustbench_cli.runs.analysed import Analysed
from robustbench_cli.runs.run import Run, load_runs

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
SMALL = "church-window:images=2,points=5"


def job(run: Path, spec: str = SMALL, *, force: bool = False, **options: object) -> AnalyseJob:
    question = make_question(spec, TINY["data"], **options)
    return AnalyseJob(run, question, Where(run.parent), force)


def test_an_analysis_is_done_once(runs: Path) -> None:
    asked = job(runs / PLAIN)
    assert not asked.done()
    assert asked.run() == asked.path and asked.done()
    names = sorted(path.name for path in (runs / PLAIN / "analyses").iterdir())
    assert names == [asked.path.with_suffix(".csv.gz").name, asked.path.name]
    before = contents(runs / PLAIN / "analyses", "*.gz")
    job(runs / PLAIN, force=True).run()
    assert contents(runs / PLAIN / "analyses", "*.gz") == before


def test_usual_epsilons_are_part_of_the_name(runs: Path) -> None:
    assert make_question(SMALL, TINY["data"]).analysis == f"{SMALL},eps=0.1"
    assert job(runs / PLAIN).path.name.startswith("church-window-images=2-points=5-eps=0.1-")


def test_everything_that_it_depends_on_is_noticed(runs: Path) -> None:
    asked = job(runs / PLAIN)
    asked.run()
    assert not job(runs / PLAIN, seed=1).done()
    assert not job(runs / PLAIN, view="bare").done()
    assert not job(runs / PLAIN, defence="bit-depth").done()
    assert not job(runs / PLAIN, SMALL + ",eps=0.2").done()
    other = next(run.path for run in load_runs(runs) if run.path.name != PLAIN)
    (runs / PLAIN / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    assert not asked.done()


@pytest.mark.slow
def test_one_that_was_killed_goes_on_where_it_was(runs: Path) -> None:
    code = (
        "import time\n"
        "from robustbench_cli.analysis.analyses.church_window import ChurchWindow\n"
        "from robustbench_cli import analyse\n"
        "look = ChurchWindow.look\n"
        "def slowly(*given):\n"
        "    time.sleep(0.2)\n"
        "    return look(*given)\n"
        "ChurchWindow.look = slowly\n"
        f"analyse('runs/{PLAIN}', 'church-window:images=6,points=5')\n"
    )
    whole = job(runs / PLAIN, "church-window:images=6,points=5", seed=0)
    folder = runs / PLAIN / "analyses" / f".{whole.path.stem}"
    with in_a_process("-c", code, cwd=Path.cwd()):  # killed at the end
        for _ in range(2000):
            if len(list(folder.glob("chunk-*"))) >= 2:
                break
            time.sleep(0.05)
    kept = len(list(folder.glob("chunk-*")))
    assert 2 <= kept < 6 and not whole.path.exists()
    whole.run()
    resumed = contents(whole.path.parent, "*.gz")
    assert not folder.exists()
    job(runs / PLAIN, "church-window:images=6,points=5", force=True).run()
    assert contents(whole.path.parent, "*.gz") == resumed


def test_python_asks_in_one_line(runs: Path) -> None:
    run = Run.open(runs / PLAIN)
    found = analyse(run, SMALL, seed=3)
    assert found.record["seed"] == 3 and 0 <= found["adversarial"] <= 1
    (stored,) = run.analyses()
    assert isinstance(stored, Analysed) and stored.numbers == found.numbers


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("church-windw", {}, "no analysis named 'church-windw'; did you mean 'church-window'?"),
        ("church-window:point=3", {}, "did you mean 'points'?"),
        (SMALL, {"view": "naked"}, "no view 'naked'; type deployed, bare"),
        (SMALL, {"view": "bare", "defence": "jpeg"}, "the bare view leaves jpeg out"),
        (SMALL, {"defence": "mixup"}, "mixup is no defence at test time"),
    ],
)
def test_a_slip_gets_one_line(spec: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        make_question(spec, TINY["data"], **options)
    assert message in str(refusal.value)
