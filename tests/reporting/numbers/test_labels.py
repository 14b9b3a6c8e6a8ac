from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_run

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.numbers.labels import differences, group_of, label_groups
from robustbench_cli.runs.run import Run


def labels(*runs: Run, by: str = "method") -> list[str]:
    return list(label_groups(runs, by).values())


def test_runs_that_differ_in_the_seed_are_one_group(tmp_path: Path) -> None:
    first, second = make_run(tmp_path, seed=0), make_run(tmp_path, seed=1)
    assert group_of(first) == group_of(second) != group_of(make_run(tmp_path, "mixup"))
    assert labels(first, second) == ["plain"]


def test_a_label_says_only_what_differs(tmp_path: Path) -> None:
    plain = make_run(tmp_path)
    assert labels(plain, make_run(tmp_path, "pgd-at:eps=0.3")) == ["plain", "pgd-at:eps=0.3"]
    mnist = make_run(tmp_path, data="mnist", epochs=2)
    assert labels(plain, mnist) == ["plain, digits", "plain, mnist"]


def test_a_setting_joins_only_where_two_groups_would_share_a_name(tmp_path: Path) -> None:
    runs = [make_run(tmp_path), make_run(tmp_path, lr=0.03), make_run(tmp_path, "mixup", lr=0.03)]
    assert labels(*runs) == ["plain, lr=0.1", "plain, lr=0.03", "mixup"]


def test_rows_can_be_named_by_another_setting(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, label_noise=noise) for noise in (0.0, 0.2)]
    assert labels(*runs, by="label-noise") == ["label-noise=0", "label-noise=0.2"]
    small = [make_run(tmp_path, method, model="mlp") for method in ("plain", "sat")]
    assert labels(*small, by="model") == ["mlp, plain", "mlp, sat"]


def test_every_run_can_be_a_row(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, seed=0), make_run(tmp_path, seed=1)]
    assert labels(*runs, by="run") == [run.name for run in runs]
    assert labels(*runs, by="seed") == ["seed=0", "seed=1"]


def test_somebody_elses_weights_are_called_by_their_file(tmp_path: Path) -> None:
    foreign = make_run(tmp_path, seed=None, checkpoint="madry.pt")
    twin = make_run(tmp_path / "other", seed=None, checkpoint="madry.pt")
    assert labels(foreign, make_run(tmp_path, "mixup")) == ["madry.pt", "mixup"]
    assert len(set(labels(foreign, twin))) == 2


def test_an_unknown_setting_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'colour'.*expected one of: run, data, epochs"):
        labels(make_run(tmp_path), by="colour")


def test_unfair_comparisons_are_found(tmp_path: Path) -> None:
    longer = make_run(tmp_path, "mixup", epochs=30)
    assert differences([make_run(tmp_path), longer]) == ["epochs"]
    assert differences([make_run(tmp_path), make_run(tmp_path, data="mnist", epochs=2)]) == []
