"""Below the accuracies of a worst case: what each member broke, and what it cost."""

from __future__ import annotations

from pathlib import Path

from fake_runs import make_evaluation, make_run

from robustbench_cli.reporting.tables.points import points_table

COST = {"forwards": 10, "backwards": 5, "seconds": 0.25}
MEMBERS = [
    {"eps": "0.3", "member": "linf-fgsm", "tried": 5, "broken": 2, **COST},
    {"eps": "0.3", "member": "linf-square", "tried": 3, "broken": 1, **COST},
]


def test_a_worst_case_has_a_section_of_its_members_and_no_other_attack_has(tmp_path: Path) -> None:
    run, distances = make_run(tmp_path), [0.05, 0.15, 0.25, 0.35, 0.45]
    plain = run.save(make_evaluation(distances, epsilons="0.3"))
    worst = run.save(make_evaluation(distances, "worst-case", epsilons="0.3", members=MEMBERS))
    accuracy, members = points_table([plain, worst]).sections
    assert accuracy.header[0] == "attack"
    assert members.header == ("member", "eps", "tried", "broke first", *COST)
    assert members.rows == (
        ("linf-fgsm", "0.3", "5", "2", "2.0", "1.0", "0.2"),
        ("linf-square", "0.3", "3", "1", "2.0", "1.0", "0.2"),
    )


def test_what_each_breaks_alone_stands_there_where_all_were_shown_everything(
    tmp_path: Path,
) -> None:
    run, counts = make_run(tmp_path), ({"in_all": 2, "alone": 1}, {"in_all": 2, "alone": 0})
    every = [member | more for member, more in zip(MEMBERS, counts, strict=True)]
    distances = [0.05, 0.15, 0.25, 0.35, 0.45]
    worst = run.save(make_evaluation(distances, "worst-case", epsilons="0.3", members=every))
    _, members = points_table([worst]).sections
    assert members.header[2:6] == ("tried", "broke first", "in all", "alone")
    assert [row[2:6] for row in members.rows] == [("5", "2", "2", "1"), ("3", "1", "2", "0")]
    assert "no other member" in members.title
