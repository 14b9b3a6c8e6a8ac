from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.selection import Selection
from robustbench_cli.runs.run import Run

FIVE = [0.05, 0.15, 0.25, 0.35, 0.45]


def notes(*runs: Run, **choice: Any) -> list[str]:
    return Selection.of(runs, **choice).notes


def attacked(run: Run, n: int = 5, **more: Any) -> Run:
    run.save(make_evaluation((FIVE * n)[:n], **more))
    return run


def three(folder: Path, method: str = "plain", **config: Any) -> list[Run]:
    return [attacked(make_run(folder, method, seed, **config)) for seed in range(3)]


def test_three_seeds_under_the_same_conditions_need_no_note(tmp_path: Path) -> None:
    assert notes(*three(tmp_path), *three(tmp_path, "mixup")) == []


def test_few_seeds(tmp_path: Path) -> None:
    als, sat = attacked(make_run(tmp_path, "als")), attacked(make_run(tmp_path, "sat"))
    more = attacked(make_run(tmp_path, "sat", 1))
    assert notes(als) == [
        "als has 1 run: its band is test-sampling error only; train more: --seeds 5"
    ]
    assert notes(als, sat) == [
        "als and sat have 1 run: their bands are test-sampling error only; train more: --seeds 5"
    ]
    given = attacked(make_run(tmp_path, "net", None, checkpoint="net.pt"))
    assert notes(given) == ["net.pt has 1 run: its band is test-sampling error only"]
    assert notes(sat, more) == ["sat has 2 runs: too few for an interval; train more: --seeds 5"]


def test_equal_numbers_of_two_norms_side_by_side(tmp_path: Path) -> None:
    runs = three(tmp_path)
    for run in runs:
        attacked(run, attack="l2-pgd", norm="l2")
    (note,) = notes(*runs)
    assert "l2 and linf at the same 5 epsilons" in note and "and so in 2 more runs" in note
    assert notes(*runs, attack="l2-pgd") == []


def test_norms_with_epsilons_of_their_own_need_no_warning(tmp_path: Path) -> None:
    runs = three(tmp_path)
    for run in runs:
        attacked(run, attack="l2-pgd", norm="l2", epsilons="0:5:1")
    assert notes(*runs) == []


def test_unequal_settings(tmp_path: Path) -> None:
    (note,) = notes(*three(tmp_path), *three(tmp_path, "mixup", epochs=30))
    assert note == "the runs differ in more than method: epochs; compare like with like"


def test_missing_attacks_and_runs(tmp_path: Path) -> None:
    runs = [*three(tmp_path), *three(tmp_path, "mixup")]
    attacked(runs[0], attack="linf-fgsm")
    bare = make_run(tmp_path, "sat")
    assert notes(*runs, bare) == [
        f"{bare.name} was not attacked and is left out; attack: robustmix sweep-epsilon RUN",
        "mixup: not attacked by linf-fgsm; type -a linf-fgsm",
        "plain: 1 of 3 runs were attacked by linf-fgsm; type -a linf-fgsm for the rest",
    ]


def test_unequal_samples_and_grids(tmp_path: Path) -> None:
    runs = [*three(tmp_path)]
    runs += [attacked(make_run(tmp_path, "sat", s), 10, epsilons="0:0.3:0.1") for s in range(3)]
    assert notes(*runs) == [
        "digits: some accuracies are of 5 images, others of up to 10; "
        "attack all with the same --samples",
        "linf-pgd: the grids of epsilons differ, so areas and epsilons at half are not comparable; "
        "sweep all runs over one --eps-range",
    ]


def test_epsilons_that_some_seeds_lack(tmp_path: Path) -> None:
    runs = three(tmp_path)[:2]
    runs.append(attacked(make_run(tmp_path, seed=2), epsilons="0:0.3:0.1"))
    assert notes(*runs) == [
        "plain, linf-pgd: 2 epsilons that not all of its runs have are left out; "
        "sweep all runs over one --eps-range"
    ]


def test_repeated_runs_and_evaluations(tmp_path: Path) -> None:
    runs = three(tmp_path)
    twin = attacked(make_run(tmp_path / "again"))
    assert notes(*runs, twin) == [
        f"{twin.path} repeats {runs[0].path}, settings and seed; "
        "it is no further evidence and left out"
    ]
    attacked(runs[0], identity={"attack": "linf-pgd", "again": True})
    assert notes(*runs) == [
        f"{runs[0].name}: several evaluations by linf-pgd; for each epsilon the one with the most "
        "images counts, then the one with the largest grid"
    ]


def test_what_the_attacks_noted_is_passed_on_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, seed=seed) for seed in range(3)]
    for count, run in enumerate(runs, 2):
        attacked(run, notes=[f"out of memory with {count} images; went on with 1"])
    assert notes(*runs) == [
        f"linf-pgd on {runs[0].name}: out of memory with 2 images; went on with 1 "
        "(and so in 2 more runs)"
    ]


def test_what_a_check_says_is_not_said_twice(tmp_path: Path) -> None:
    line = "1 samples could not be attacked and count as not broken; sample 2: no start"
    failed = [{"index": 2, "reason": "no start"}]
    runs = [make_run(tmp_path, seed=seed) for seed in range(3)]
    (note,) = notes(*[attacked(run, notes=[line], failed=failed) for run in runs])
    assert "1 of 5 samples could not be attacked" in note and "[failed-samples]" in note
