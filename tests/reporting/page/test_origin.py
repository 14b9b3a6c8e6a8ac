"""The commands that make runs again, typed as the command line takes them."""

from __future__ import annotations

from pathlib import Path

from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.page.origin import commands, settings, versions


def test_seeds_join_and_other_settings_do_not(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, "mixup:alpha=0.4", seed, augment=False, compile=True) for seed in (0, 1)
    ]
    runs.append(make_run(tmp_path, "plain", 0, compile=False))
    head = "robustmix train --data digits --model lenet5 --epochs 10 --lr 0.1 --label-noise 0.0"
    assert commands(runs) == [
        f"{head} --method mixup:alpha=0.4 --no-augment --compile --seed 0 --seed 1",
        f"{head} --method plain --seed 0",
    ]


def test_attacks_join_over_runs(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, "plain", seed) for seed in (0, 1)]
    for run in runs:
        run.save(make_evaluation([0.1] * 3, epsilons="0:0.2:0.1"))
    about = {"seed": 3, "defence": "jpeg:quality=50", "view": "bare", "attack": "linf-pgd"}
    runs[0].save(make_evaluation([0.1] * 3, epsilons="0.1", identity=about))
    attacks = [line for line in commands(runs) if line.startswith("robustmix attack")]
    assert sorted(attacks) == sorted(
        [
            f"robustmix attack {runs[0].path} {runs[1].path} -a linf-pgd -e 0,0.1,0.2 --samples 3",
            f"robustmix attack {runs[0].path} -a linf-pgd -e 0.1 --samples 3 --attack-seed 3 "
            "--defence jpeg:quality=50 --view bare",
        ]
    )


def test_weights_of_somebody_else_are_not_trained(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert commands([run.update(config={**run.config, "checkpoint": "theirs.pt"})]) == []


def test_of_files_of_data_no_folder_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path, data="npz:/home/me/x.npz,part=test", seed=None)
    (line,) = commands([run])
    assert line.startswith("robustmix train --data npz:x.npz,part=test --model lenet5 ")
    told = [cell for section in settings([run]) for row in section.rows for cell in row]
    assert "npz:x.npz,part=test" in told and "/home" not in "".join(told)


def test_versions_of_training_and_attacks(tmp_path: Path) -> None:
    run = make_run(tmp_path).update(versions={"torch": "1"}, device="a", commit="c")
    run.save(make_evaluation([0.1], versions={"torch": "2"}, device="b"))
    assert dict(versions([run]).rows) == {"torch": "1, 2", "commit": "c", "device": "a, b"}
