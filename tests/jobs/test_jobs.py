"""Pieces of work: what is finished is not done again, and what has changed is noticed."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny import TINY, attack_job, contents, tiny, train_job

from robustbench_cli.epsilon import grid
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.jobs import AnalyseJob, AttackJob, Job, TrainJob, TransferJob, Where
from robustbench_cli.jobs.analyse import make_question
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.training.config import TrainConfig

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
MIXUP = PLAIN.replace("plain", "mixup")


def transfer_job(source: Path, *targets: Path, eps: str = "0.01,0.02", **more: object) -> Job:
    config = make_attack_config("linf-fgsm", "spirals:samples=40", grid([eps]))
    return TransferJob(source, targets, config, Where(source.parent), **more)  # type: ignore[arg-type]


# --- training ---


def test_a_training_is_done_once(tmp_path: Path) -> None:
    job = train_job(tmp_path / "runs")
    assert not job.done() and job.path.name == PLAIN
    assert job.run() == job.path
    assert job.done()
    before = contents(job.path)
    assert job.run() == job.path
    assert contents(job.path).keys() == before.keys()
    assert contents(job.path, "*.safetensors") == {"model.safetensors": before["model.safetensors"]}


def test_an_unfinished_training_is_not_done(runs: Path) -> None:
    job = train_job(runs)
    assert job.done()
    Run.open(job.path).update(status="training")
    assert not job.done()
    Run.open(job.path).update(status="done")
    (job.path / "model.safetensors").unlink()
    assert not job.done()


def test_other_settings_in_the_same_place_are_refused(runs: Path) -> None:
    job = train_job(runs)
    run = Run.open(job.path)
    run.update(config={**run.config, "weight_decay": 0.5})
    assert not job.done()
    with pytest.raises(RunError, match=r"has other settings \(weight-decay 0.5, asked for 0.0\)"):
        job.run()
    train_job(runs, force=True).run()
    assert job.done()


def test_every_setting_that_is_not_usual_is_part_of_the_name() -> None:
    names = {
        tiny(**change).name
        for change in (
            {},
            {"seed": 1},
            {"epochs": 3},
            {"lr": 0.01},
            {"optimizer": "sgd"},
            {"method": "mixup:alpha=0.4"},
            {"data": "spirals:samples=40,arms=3"},
            {"label_noise": 0.2},
            {"train_fraction": 0.5},
            {"schedule": "step"},
            {"normalise": False},
        )
    }
    assert len(names) == 11 and PLAIN in names


def test_force_trains_anew_and_leaves_nothing_of_before(runs: Path) -> None:
    attack_job(runs / PLAIN).run()
    job = train_job(runs, force=True)
    assert not job.done()
    before = (job.path / "model.safetensors").read_bytes()
    job.run()
    assert (job.path / "model.safetensors").read_bytes() == before, "the same seed"
    assert not (job.path / "attacks").exists()


# --- attacking ---


def test_an_attack_is_done_once(runs: Path) -> None:
    job = attack_job(runs / PLAIN)
    assert not job.done()
    path = job.run()
    assert job.done() and path == job.path
    assert sorted(p.suffix for p in (runs / PLAIN / "attacks").iterdir()) == [".gz", ".json"]
    before = contents(runs / PLAIN / "attacks", "*.csv.gz")
    attack_job(runs / PLAIN, force=True).run()
    assert contents(runs / PLAIN / "attacks", "*.csv.gz") == before, "the same bytes"


def test_another_question_is_another_file(runs: Path) -> None:
    jobs = [
        attack_job(runs / PLAIN),
        attack_job(runs / PLAIN, "linf-fgsm", "0.01,0.03"),
        attack_job(runs / PLAIN, "linf-fgsm", "0.01"),
        attack_job(runs / PLAIN, "linf-pgd:steps=3"),
        attack_job(runs / PLAIN, "linf-pgd:steps=4"),
        attack_job(runs / PLAIN, samples=10),
        attack_job(runs / PLAIN, "linf-pgd:steps=3", seed=1),
        attack_job(runs / PLAIN, "linf-pgd:steps=3", schedule="independent"),
        attack_job(runs / PLAIN, view="bare"),
    ]
    for i, job in enumerate(jobs):
        assert [job.done() for job in jobs] == [True] * i + [False] * (len(jobs) - i)
        job.run()
    assert len({job.path for job in jobs}) == len(jobs)


def signals_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["signals"]
    return found


def test_signals_are_measured_once_and_leave_the_rows_alone(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare, quick, full = (attack_job(runs / PLAIN, checks=c) for c in ("off", "quick", "full"))
    path = bare.run()
    rows = contents(path.parent, "*.csv.gz")
    assert "signals" not in json.loads(path.read_text())
    assert bare.done() and not quick.done(), "the rows are there, the signals are not"
    monkeypatch.setattr("robustbench_cli.jobs.attack.evaluate_model", None)  # rows are kept
    assert quick.run() == path and signals_of(path)["level"] == "quick"
    assert bare.done() and quick.done() and not full.done()
    full.run()
    assert signals_of(path)["level"] == "full" and "answers" in signals_of(path)
    monkeypatch.setattr("robustbench_cli.jobs.attack.measure", None)
    assert all(job.done() for job in (bare, quick, full))
    quick.run()
    assert signals_of(path)["level"] == "full"
    assert contents(path.parent, "*.csv.gz") == rows
    assert Evaluation.load(path).file_name == path.stem


def test_a_kill_while_signals_are_measured_costs_the_signals_only(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = attack_job(runs / PLAIN)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr("robustbench_cli.jobs.attack.measure", killed)
        with pytest.raises(KeyboardInterrupt):
            job.run()
    before = contents(job.path.parent, "*.csv.gz")
    assert before and not job.done()
    job.run()
    assert job.done() and contents(job.path.parent, "*.csv.gz") == before


def test_eight_bits_are_another_question(runs: Path) -> None:
    plain, strict = (attack_job(runs / PLAIN, eight_bit=e) for e in (False, True))
    plain.run()
    assert not strict.done() and strict.path != plain.path
    record = json.loads(strict.run().read_text())
    assert record["identity"]["eight_bit"] is True and strict.done()
    with pytest.raises(UsageError, match="--eight-bit is for attack and sweep-epsilon"):
        TransferJob(runs / PLAIN, (runs / MIXUP,), strict.config)


def test_the_first_images_are_told_from_all(runs: Path) -> None:
    some, every = attack_job(runs / PLAIN, samples=5), attack_job(runs / PLAIN)
    assert json.loads(some.run().read_text())["truncated"] is True
    assert json.loads(every.run().read_text())["truncated"] is False


def test_two_spellings_of_one_grid_are_one_question(runs: Path) -> None:
    attack_job(runs / PLAIN, "linf-fgsm", "0.01,0.02").run()
    assert attack_job(runs / PLAIN, "linf-fgsm", "2e-2", "1/100", "0.01").done()
    assert not attack_job(runs / PLAIN, "linf-fgsm", "0.01,0.021").done()


def test_changed_weights_are_noticed(runs: Path) -> None:
    job = attack_job(runs / PLAIN)
    record = json.loads(job.run().read_text())
    shutil.copy(runs / MIXUP / "model.safetensors", runs / PLAIN / "model.safetensors")
    assert not job.done()
    after = json.loads(job.run().read_text())
    assert job.done() and after["identity"]["weights"] != record["identity"]["weights"]
    assert len(Run.open(runs / PLAIN).evaluations()) == 1, "the old rows are gone"


def test_an_attack_from_another_run_needs_it_and_notices_its_weights(runs: Path) -> None:
    job = attack_job(runs / PLAIN, f"transfer:{runs / MIXUP},attack=linf-fgsm", "0.02")
    assert job.needs == (runs / PLAIN, runs / MIXUP)
    record = json.loads(job.run().read_text())
    assert job.done() and record["access"] == "none"
    assert record["identity"]["source_weights"] == Run.open(runs / MIXUP).weights_digest
    own = attack_job(runs / PLAIN, "linf-fgsm", "0.02").run()
    shutil.copy(runs / PLAIN / "model.safetensors", runs / MIXUP / "model.safetensors")
    assert not job.done()
    white, black = (Evaluation.load(path).correct() for path in (own, job.run()))
    assert white.equals(black), "the source is a copy now"
    (runs / MIXUP / "model.safetensors").unlink()
    assert not job.done()


def test_changed_images_are_noticed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    from robustbench_cli.data.datasets.spirals import Spirals
    from robustbench_cli.jobs import attack_config as config

    job = attack_job(runs / PLAIN)
    job.run()
    draw = Spirals._draw
    monkeypatch.setattr(Spirals, "_draw", lambda self, part: draw(self, part + 1))
    config._test_images.cache_clear()  # read once per process
    request.addfinalizer(config._test_images.cache_clear)
    with pytest.raises(RunError, match=r"holds now: other test images; bring those back"):
        job.done()
    with pytest.raises(RunError, match="other test images"):
        transfer_job(runs / PLAIN, runs / MIXUP).done()


def test_whether_a_job_is_done_is_told_without_a_device(runs: Path) -> None:
    """So the process that hands out jobs takes no memory of a GPU."""
    elsewhere = Where(Path("runs"), device="cuda:77")
    training = train_job(Path("runs"))
    attack, shown = attack_job(runs / PLAIN), transfer_job(runs / PLAIN, runs / MIXUP)
    question = AnalyseJob(runs / PLAIN, make_question("margin:pairs=4", TINY["data"]))
    for job in (training, attack, shown, question):
        job.run()
        assert replace(job, where=elsewhere).done()  # type: ignore[type-var]
        assert replace(job, where=elsewhere).path == job.path  # type: ignore[type-var]
    with pytest.raises(UsageError, match="no device 'cuda:77' here"):
        replace(attack_job(runs / MIXUP), where=elsewhere).run()


def photograph(folder: Path, *shades: int) -> None:
    for part, (name, shade) in product(("train", "test"), zip("ab", shades, strict=True)):
        for k in range(6):
            path = folder / part / name / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), shade + 10 * k).save(path)


def test_pictures_are_known_by_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One spec, two working directories; then other pictures, and another name of a class."""
    spec = {"data": "folder:pics,size=4,grey=true", "model": "mlp:width=4", "epochs": 1}
    trained = []
    for place, shades in {"here": (0, 100), "there": (100, 0)}.items():
        photograph(tmp_path / place / "pics", *shades)
        monkeypatch.chdir(tmp_path / place)
        trained.append(TrainJob(TrainConfig(**spec).resolve(), Where(tmp_path / "runs")))
        assert not trained[-1].done(), "the other directory's network is not this one's"
        trained[-1].run()
    job = trained[0]
    assert job.done(), "from any directory"
    attack = AttackJob(
        job.path, make_attack_config("linf-fgsm", job.config.data, grid(["0.1"])), job.where
    )
    (tmp_path / "here/pics/test/a/0.png").write_bytes(
        (tmp_path / "there/pics/test/a/1.png").read_bytes()
    )
    for again in (job, attack):
        with pytest.raises(RunError, match="holds now: other test images; "):
            again.done()
    photograph(tmp_path / "here/pics", 0, 100)
    assert job.done()
    for part in ("train", "test"):
        (tmp_path / "here/pics" / part / "b").rename(tmp_path / "here/pics" / part / "c")
    for again in (job, attack):
        with pytest.raises(RunError, match="holds now: classes without b and with c; "):
            again.done()


def test_chunks_of_other_weights_are_not_mixed_in(runs: Path) -> None:
    """A kill leaves finished chunks; the weights change before the command is repeated."""
    job = attack_job(runs / PLAIN, "linf-pgd:steps=3")
    job.run()
    parts = runs / PLAIN / "attacks" / f".{job.path.stem}"
    assert not parts.exists()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    unfinished = attack_job(runs / PLAIN, "linf-pgd:steps=3", force=True)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "save", die)
        unfinished.run()
    assert list(parts.glob("chunk-*.json"))
    shutil.copy(runs / MIXUP / "model.safetensors", runs / PLAIN / "model.safetensors")
    job.run()
    straight = Evaluation.load(attack_job(runs / MIXUP, "linf-pgd:steps=3").run())
    assert Evaluation.load(job.path).samples.equals(straight.samples)
    assert not parts.exists()


def test_an_interrupted_attack_goes_on_with_its_chunks(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robustbench_cli.runs import parts

    monkeypatch.setattr(parts, "CHUNK", 10)
    job = attack_job(runs / PLAIN, "linf-pgd:steps=3")
    whole = job.run().with_suffix("").with_suffix(".csv.gz").read_bytes()
    shutil.rmtree(runs / PLAIN / "attacks")
    seen: list[int] = []

    def until(stop: int, done: int) -> None:
        seen.append(done)
        if done >= stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.run(lambda done, total, text: until(20, done))
    assert not job.done()
    seen.clear()
    job.run(lambda done, total, text: until(99, done))
    assert seen[:2] == [10, 20], "two chunks were read, not made"
    assert job.path.with_suffix("").with_suffix(".csv.gz").read_bytes() == whole


def test_attacking_what_is_not_trained(runs: Path) -> None:
    job = attack_job(runs / "nothing")
    assert not job.done()
    with pytest.raises(RunError, match="is no run"):
        job.run()
    Run.open(runs / PLAIN).update(status="training")
    assert not attack_job(runs / PLAIN).done()
    with pytest.raises(RunError, match="is not finished; go on with"):
        attack_job(runs / PLAIN).run()


# --- transferring ---


def test_a_transfer_lies_in_the_directory_of_its_source(runs: Path) -> None:
    job = transfer_job(runs / PLAIN, runs / PLAIN, runs / MIXUP)
    assert not job.done()
    assert job.run() == job.path == runs / PLAIN / "transfer"
    assert job.done()
    found = Run.open(runs / PLAIN).transfers()
    assert sorted((e.record["target"], e.record["white_box"]) for e in found) == [
        (MIXUP, False),
        (PLAIN, True),
    ]
    assert {e.record["target_method"] for e in found} == {"mixup", "plain"}


def test_a_further_target_does_not_repeat_the_others(runs: Path) -> None:
    transfer_job(runs / PLAIN, runs / PLAIN).run()
    before = contents(runs / PLAIN / "transfer")
    job = transfer_job(runs / PLAIN, runs / PLAIN, runs / MIXUP)
    assert not job.done()
    job.run()
    after = contents(runs / PLAIN / "transfer")
    assert len(after) == 4 and before.items() <= after.items()


def test_changed_weights_of_a_target_are_noticed(runs: Path) -> None:
    other = runs / PLAIN.replace("s0", "s1")
    job = transfer_job(runs / PLAIN, runs / MIXUP, other)
    job.run()
    shutil.copy(other / "model.safetensors", runs / MIXUP / "model.safetensors")
    assert not job.done()
    job.run()
    assert job.done() and len(Run.open(runs / PLAIN).transfers()) == 2


def test_two_directories_of_one_name_are_refused(runs: Path) -> None:
    shutil.copytree(runs, "elsewhere")
    with pytest.raises(UsageError, match="have the same name; rename one of the directories"):
        transfer_job(runs / PLAIN, Path("elsewhere") / PLAIN)


@pytest.mark.parametrize("force", [True, False])
def test_jobs_travel_between_processes(runs: Path, force: bool) -> None:
    for job in (
        train_job(runs, force=force),
        attack_job(runs / PLAIN, force=force),
        transfer_job(runs / PLAIN, runs / MIXUP, force=force),
    ):
        copy = pickle.loads(pickle.dumps(job))
        assert copy == job and copy.label == job.label and copy.done() == job.done()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": -5}, "samples -5: expected 1 or more"),
        ({"samples": 0}, "samples 0: expected 1 or more"),
        ({"seed": -1}, "seed -1: expected 0 or more"),
        ({"batch_size": 0}, "batch-size 0: expected 1 or more"),
        ({"view": "deploid"}, "no view 'deploid'; type deployed, bare"),
        ({"checks": "deep"}, "no checks 'deep'; type full, quick, off"),
        ({"schedule": "all"}, "no schedule 'all'; type auto, ascending, independent, bisect"),
    ],
)
def test_probes_that_cannot_be_meant(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        attack_job(Path("run"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("eps", "guess"), [("8", "8/255"), ("16.0", "16/255"), ("255", "255/255")])
def test_an_epsilon_of_another_scale_gets_the_one_that_was_meant(eps: str, guess: str) -> None:
    with pytest.raises(UsageError, match=rf"outside \[0, 1\]; .* did you mean {guess}\?"):
        attack_job(Path("run"), "linf-pgd", eps)
    assert attack_job(Path("run"), "l2-pgd", eps).config.epsilons, "large in L2 is no slip"
