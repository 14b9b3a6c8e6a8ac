"""Champions by hand: which setting is best on held-out images, and who is told apart from whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_runs import make_evaluation, make_run

import robustbench_cli
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.contests import Contest, contests, key_of, select
from robustbench_cli.reporting.numbers.labels import group_of
from robustbench_cli.reporting.numbers.summary import Estimate
from robustbench_cli.reporting.tables.tried import tried_table
from robustbench_cli.runs.run import Run

# Four images, by the epsilon that breaks each. At eps 0, 0.1 and 0.2 are right:
WEAK = [0.3, 0.3, 0.15, 0.05]  # 4, 3, 2 of 4: area (1 + 2 * 3/4 + 2/4) / 4 = 0.75
EVEN = [0.3, 0.3, 0.3, 0.05]  # 4, 3, 3 of 4: area (1 + 2 * 3/4 + 3/4) / 4 = 0.8125
HALF = [0.0, 0.0, 0.3, 0.3]  # 2, 2, 2 of 4: area 0.5
FULL = [0.3, 0.3, 0.3, 0.3]  # all: area 1


def attacked(
    folder: Path,
    method: str,
    held: Sequence[Sequence[float]],
    test: Sequence[float] = (),
    epsilons: str = "0:0.2:0.1",
    **config: Any,
) -> list[Run]:
    """A run for each seed, attacked on held-out images, and perhaps on test images."""
    runs = [make_run(folder, method, seed, **config) for seed in range(len(held))]
    for run, distances in zip(runs, held, strict=True):
        identity = {"attack": "linf-pgd", "split": "validation"}
        run.save(make_evaluation(distances, epsilons=epsilons, identity=identity))
        if test:
            run.save(make_evaluation(test, epsilons=epsilons))
    return runs


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """On held-out images the first is better in area, and on test images the second."""
    return [
        *attacked(tmp_path, "vib:beta=0.01", [WEAK, EVEN], test=HALF),
        *attacked(tmp_path, "vib:beta=0.1", [FULL, HALF], test=FULL),
    ]


def test_the_champion_is_the_one_that_a_hand_computation_gives(runs: list[Run]) -> None:
    (contest,) = select(runs, "area")
    assert [each.label for each in contest.tried] == ["vib:beta=0.01", "vib:beta=0.1"]
    values = [each.value.value for each in contest.tried if each.value]
    assert values == pytest.approx([(0.75 + 0.8125) / 2, (1 + 0.5) / 2])
    assert contest.lead == pytest.approx(0.78125 - 0.75)


@pytest.mark.parametrize(
    ("measure", "eps", "champion", "lead"),
    [
        ("clean", None, "vib:beta=0.01", 1 - 0.75),
        ("accuracy", "0.2", "vib:beta=0.1", 0.75 - 0.625),
        ("accuracy", "0.1", "vib:beta=0.01", 0.0),
        ("half", None, "vib:beta=0.01", 0.0),
    ],
)
def test_each_measure_has_a_champion_of_its_own(
    runs: list[Run], measure: Any, eps: str | None, champion: str, lead: float
) -> None:
    (contest,) = select(runs, measure, eps=eps)
    assert contest.champion and contest.champion.label == champion
    assert contest.lead == pytest.approx(lead)


def test_of_equals_the_one_that_is_listed_first_wins(tmp_path: Path) -> None:
    one = attacked(tmp_path, "vib:beta=0.01", [FULL, HALF])
    other = attacked(tmp_path, "vib:beta=0.1", [HALF, FULL])  # the same sum in another order
    for listed in ([*one, *other], [*other, *one]):
        (contest,) = select(listed)
        assert contest.champion and contest.lead == 0
        assert contest.champion.label == listed[0].config["method"]


def test_families_compete_apart_and_conditions_too(tmp_path: Path) -> None:
    runs = [
        *attacked(tmp_path, "vib:beta=0.01+mixup", [WEAK]),
        *attacked(tmp_path, "vib:beta=0.1+mixup", [FULL]),
        *attacked(tmp_path, "vib:beta=0.01", [HALF]),
        *attacked(tmp_path, "vib:beta=0.01", [EVEN], label_noise=0.2),
        *attacked(tmp_path, "vib:beta=0.01", [WEAK], lr=0.01),
    ]
    found = {contest.family: [t.label for t in contest.tried] for contest in select(runs)}
    assert list(found) == [
        "vib+mixup, label-noise=0",
        "vib, label-noise=0",
        "vib, label-noise=0.2",
    ]
    assert [len(tried) for tried in found.values()] == [2, 2, 1]
    assert "lr=0.01" in found["vib, label-noise=0"][0], "0.75 is more than 0.5"


def test_a_network_is_a_family_by_its_name_and_data_a_condition() -> None:
    base = {"method": "vib:beta=1", "model": "mlp:width=16", "data": "digits"}
    assert key_of(base) == key_of({**base, "model": "mlp:width=32", "method": "vib"})
    assert key_of(base) != key_of({**base, "model": "lenet5"})
    assert key_of(base) != key_of({**base, "data": "spirals:samples=40"})
    assert key_of(base) != key_of({**base, "validation": 0.2})


def test_contests_on_several_data_sets_are_named_without_folders(tmp_path: Path) -> None:
    runs = [
        *attacked(tmp_path, "vib", [WEAK], data="npz:/home/me/x.npz"),
        *attacked(tmp_path, "vib", [WEAK], data="npz:/home/other/x.npz"),
    ]
    assert [contest.family for contest in select(runs)] == [
        "vib, npz:me/x.npz",
        "vib, npz:other/x.npz",
    ]


def test_what_lacks_a_seed_is_out_and_comes_last(runs: list[Run]) -> None:
    lost = next((runs[0].path / "validation").glob("*.json"))
    lost.unlink()
    (contest,) = select(runs, "area")
    assert [each.label for each in contest.tried] == ["vib:beta=0.1", "vib:beta=0.01"]
    assert contest.tried[1].value is None and contest.second is None and contest.lead is None
    assert "not finished" in str(tried_table([contest]))


def test_without_any_champion_the_table_says_so(runs: list[Run]) -> None:
    (contest,) = contests(runs, {}, {})
    assert contest.champion is None
    table = tried_table([contest])
    assert "none" in str(table) and "none is champion" in table.notes[0]


def test_what_cannot_be_compared_is_refused(tmp_path: Path, runs: list[Run]) -> None:
    more = attacked(tmp_path, "vib:beta=1", [FULL])
    with pytest.raises(UsageError, match=r"vib:beta=0.01 and vib:beta=1 .* other seeds"):
        select([*runs, *more])
    more = attacked(tmp_path, "vib:beta=2", [FULL, FULL], epsilons="0:0.4:0.1")
    with pytest.raises(UsageError, match="other epsilons"):
        select([*runs, *more])
    more = attacked(tmp_path, "vib:beta=3", [FULL * 2, FULL * 2])
    with pytest.raises(UsageError, match="other images"):
        select([*runs, *more])


def test_slips_get_a_line(tmp_path: Path, runs: list[Run]) -> None:
    with pytest.raises(UsageError, match="no measure 'acc'; expected one of accuracy, clean"):
        select(runs, "acc")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"accuracy at which eps\? there are: 0.1, 0.2"):
        select(runs, "accuracy")
    with pytest.raises(UsageError, match=r"not attacked at eps 0\.3; there are: 0.1, 0.2"):
        select(runs, "accuracy", eps="0.3")
    with pytest.raises(RunError, match="no validation image was attacked; type: robustmix sweep"):
        select(make_run(tmp_path, "mixup"))
    few = attacked(tmp_path, "sat", [FULL], epsilons="0.1")
    with pytest.raises(UsageError, match="area needs three epsilons"):
        select(few)
    identity = {"attack": "linf-fgsm", "split": "validation"}
    runs[0].save(make_evaluation(FULL, "linf-fgsm", epsilons="0:0.2:0.1", identity=identity))
    with pytest.raises(UsageError, match=r"in several ways; name one attack: linf-fgsm, .* linf"):
        select(runs)
    assert select(runs, attack="linf-pgd")


def estimates(runs: Sequence[Run], *values: float) -> dict[str, Estimate]:
    groups = list(dict.fromkeys(map(group_of, runs)))
    return {
        group: Estimate(value, None, None, "none", (value, value))
        for group, value in zip(groups, values, strict=False)
    }


def flattered(runs: Sequence[Run]) -> Contest:
    """First on held-out images by 2 points, second on test images by 5, and 0.62 when fresh."""
    (bare,) = select(runs, "area")
    assert bare.measure
    measures = dict.fromkeys(map(group_of, runs), bare.measure)
    held, test = estimates(runs, 0.70, 0.68), estimates(runs, 0.65, 0.70)
    (contest,) = contests(runs, measures, held, test, estimates(runs, 0.62))
    return contest


def test_optimism_is_what_test_images_would_have_claimed_less_what_fresh_seeds_give(
    runs: list[Run],
) -> None:
    contest = flattered(runs)
    assert contest.champion and contest.champion.label == "vib:beta=0.01"
    assert contest.claimed and contest.claimed.label == "vib:beta=0.1"
    assert contest.optimism == pytest.approx(0.70 - 0.62)


def test_the_table_holds_everything_that_was_tried(runs: list[Run]) -> None:
    table = tried_table([flattered(runs)])
    frame = table.frame
    assert frame["setting"].tolist() == ["vib:beta=0.01", "vib:beta=0.1"]
    assert frame["champion"].tolist() == [True, False]
    assert frame["validation"].tolist() == [0.7, 0.68] and frame["seeds"].tolist() == ["0 1"] * 2
    assert frame["behind"].tolist() == pytest.approx([0, 0.02])
    (entry,) = table.document["selection"]
    assert (entry["champion"], entry["second"]) == ("vib:beta=0.01", "vib:beta=0.1")
    assert (entry["lead"], entry["claimed"], entry["optimism"]) == (0.02, 0.7, 0.08)
    for form in ("table", "markdown", "latex", "csv", "json"):
        assert "vib:beta=0.01" in table.render(form).replace(r"\_", "_")
    assert "+8.0" in str(table) and "area under linf-pgd" in str(table)


def test_a_table_without_test_images_says_that_optimism_was_not_measured(runs: list[Run]) -> None:
    table = tried_table(select(runs, "area"))
    assert "would have claimed was not measured" in str(table)
    assert table.document["selection"][0]["optimism"] is None


def test_a_notebook_reads_the_champion_off(runs: list[Run]) -> None:
    (contest,) = robustbench_cli.select(runs, "area")
    assert contest.champion and contest.champion.config["method"] == "vib:beta=0.01"
    assert "seed" not in contest.champion.config
    assert str(contest).startswith("vib: vib:beta=0.01 of 2 tried, 78.1 (area under linf-pgd")
