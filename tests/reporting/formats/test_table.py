"""The tables, letter by letter."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.formats.table import format_of
from robustbench_cli.reporting.report import table
from robustbench_cli.reporting.tables.cells import choose, digits_for, listing, units
from robustbench_cli.reporting.tables.points import points_table
from robustbench_cli.runs.run import Run

TWENTY = [0.0] + [0.02 * i - 0.01 for i in range(1, 20)]
PGD = "linf-pgd:steps=40"


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Three seeds of one method and one run of another, under two attacks of two norms."""
    made = [make_run(tmp_path, "plain", seed) for seed in range(3)]
    made.append(make_run(tmp_path, "pgd-at:eps=8/255"))
    for scale, run in zip((1, 1.15, 1.3, 3), made, strict=True):
        run.save(make_evaluation([scale * d for d in TWENTY], PGD))
        run.save(make_evaluation([6 * scale * d for d in TWENTY], "l2-pgd", "l2", "0:2:0.5"))
    return made


WARNING = (
    "digits-lenet5-pgd-at-eps=8_255-s0: trained against pgd and attacked by nothing of another kind"
    " [training-attack-only]; add -a l2-deepfool or -a l2-boundary"
)
SCREEN = """\
Accuracy in %: digits, lenet5, 20 test images, deployed view.
Mean ± 95 % t interval over seeds.
[95 % Wilson interval] of one run: test sampling only.

l2-pgd, L2
method                       clean               ε=1          area 0–2  ε at half         0…2  runs
plain                   95.0 ± 0.0       60.0 ± 12.4       58.3 ± 12.5       1.30  █▇▇▆▆▅▄▃▃▂     3
pgd-at:eps=8/255  95.0 [76.4–99.1]  80.0 [58.4–91.9]  81.2 [64.2–91.3]        > 2  ███▇▇▇▇▆▆▆     1

linf-pgd:steps=40, L∞
method                       clean             ε=0.2        area 0–0.5  ε at half       0…0.5  runs
plain                   95.0 ± 0.0       50.0 ± 12.4       41.8 ± 12.5      0.213  █▇▆▅▄▃▂▁▁▁     3
pgd-at:eps=8/255  95.0 [76.4–99.1]  80.0 [58.4–91.9]  74.0 [56.7–86.1]      > 0.5  ██▇▇▇▆▆▅▅▅     1

ε: norm of the perturbation, pixels in [0, 1].
Every image counts; one misclassified unchanged is broken at every ε.
L2 and L∞ are different distances: compare within one norm.
area: under the decay curve, as a share of its range of ε (trapezoid rule).
ε at half: where accuracy has fallen to half of the clean accuracy.
Checks: 1 warned, 8 passed."""


MARKDOWN = """\
Accuracy in %: digits, lenet5, 20 test images, deployed view.
Mean ± 95 % t interval over seeds.
[95 % Wilson interval] of one run: test sampling only.

**linf-pgd:steps=40, L∞**

| method | clean | ε=0.1 | ε=0.3 | area 0–0.5 | ε at half | runs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| plain | 95.0 ± 0.0 | 73.3 ± 7.2 | 28.3 ± 19.0 | 41.8 ± 12.5 | 0.213 | 3 |
| pgd-at:eps=8/255 | 95.0 [76.4–99.1] | 85.0 [64.0–94.8] | 70.0 [48.1–85.5] | 74.0 [56.7–86.1] | > 0.5 | 1 |

ε: norm of the perturbation, pixels in [0, 1].
Every image counts; one misclassified unchanged is broken at every ε.
area: under the decay curve, as a share of its range of ε (trapezoid rule).
ε at half: where accuracy has fallen to half of the clean accuracy.
Checks: 1 warned, 4 passed.

- {WARNING}
- pgd-at:eps=8/255 has 1 run: its band is test-sampling error only; train more: --seeds 5
"""  # noqa: E501


LATEX = r"""% Accuracy in %: digits, lenet5, 20 test images, deployed view.
% Mean ± 95 % t interval over seeds.
% [95 % Wilson interval] of one run: test sampling only.
% ε: norm of the perturbation, pixels in [0, 1].
% Every image counts; one misclassified unchanged is broken at every ε.
% area: under the decay curve, as a share of its range of ε (trapezoid rule).
% ε at half: where accuracy has fallen to half of the clean accuracy.
% Checks: 1 warned, 4 passed.
% {WARNING}
% pgd-at:eps=8/255 has 1 run: its band is test-sampling error only; train more: --seeds 5
% \usepackage{booktabs}
\begin{tabular}{lrrrrr}
\toprule
method & clean & $\varepsilon$=0.1 & area 0--0.5 & $\varepsilon$ at half & runs \\
\midrule
\multicolumn{6}{l}{\emph{linf-pgd:steps=40, $L_\infty$}} \\
plain & 95.0 $\pm$ 0.0 & 73.3 $\pm$ 7.2 & 41.8 $\pm$ 12.5 & 0.213 & 3 \\
pgd-at:eps=8/255 & 95.0 {[}76.4--99.1{]} & 85.0 {[}64.0--94.8{]} & 74.0 {[}56.7--86.1{]} & $>$ 0.5 & 1 \\
\bottomrule
\end{tabular}
"""  # noqa: E501


ONE = """\
Accuracy in %: digits, lenet5, 1 run, 20 test images, deployed view.
[95 % Wilson interval] of one run: test sampling only.

linf-pgd, L∞
method             clean            ε=0.3
plain   95.0 [76.4–99.1]  20.0 [8.1–41.6]

ε: norm of the perturbation, pixels in [0, 1].
Every image counts; one misclassified unchanged is broken at every ε.
Checks: 1 passed."""


POINTS = """\
Accuracy in % of every image; one misclassified unchanged counts as broken.

digits-lenet5-plain-s0, L2, 20 images, deployed view
attack   eps  accuracy  95 % interval  median distance
(clean)    0      95.0    76.4 – 99.1                –
l2-pgd   0.5      75.0    53.1 – 88.8           0.2400
l2-pgd     1      55.0    34.2 – 74.2           0.4800
l2-pgd   1.5      30.0    14.5 – 51.9           0.7800
l2-pgd     2      10.0     2.8 – 30.1           1.0200

digits-lenet5-plain-s0, L∞, 20 images, deployed view
attack             eps  accuracy  95 % interval  median distance
(clean)              0      95.0    76.4 – 99.1                –
linf-pgd:steps=40  0.1      70.0    48.1 – 85.5           0.0500
linf-pgd:steps=40  0.2      45.0    25.8 – 65.8           0.1000
linf-pgd:steps=40  0.3      20.0     8.1 – 41.6           0.1500
linf-pgd:steps=40  0.4       0.0     0.0 – 16.1           0.1900
linf-pgd:steps=40  0.5       0.0     0.0 – 16.1           0.1900

interval: Wilson, test sampling only; eps and distance: pixels in [0, 1].
Checks: 2 passed."""


@pytest.mark.parametrize(
    ("norms", "text"),
    [
        (["linf", "l2"], "pixels in [0, 1]"),
        (["l0"], "changed values"),
        (["l1", "l0", "l0"], "pixels in [0, 1]; L0: changed values"),
        (["none"], "share of the largest change"),
    ],
)
def test_what_epsilons_count(norms: list[str], text: str) -> None:
    assert units(norms) == text


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listing(names) for names in ("", "a", "ab", "abc", "abcdef")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b, c, d and 2 more",
    ]


def test_screen(runs: list[Run]) -> None:
    assert str(table(runs)) == SCREEN
    assert max(map(len, str(table(runs)).splitlines())) <= 100


def test_markdown(runs: list[Run]) -> None:
    shown = table(runs, attack=PGD, epsilons="0.1,0.3").render("markdown")
    assert shown == MARKDOWN.replace("{WARNING}", WARNING)


def test_latex(runs: list[Run]) -> None:
    shown = table(runs, attack=PGD, epsilons="0.1").render("latex")
    assert shown == LATEX.replace("{WARNING}", WARNING)


def test_csv_holds_base_units_and_every_point(runs: list[Run]) -> None:
    rows = list(csv.DictReader(io.StringIO(table(runs).render("csv"))))
    assert len(rows) == 2 * (6 + 5)
    point = next(r for r in rows if r["attack"] == PGD and r["eps"] == "0.2")
    assert (point["label"], point["norm"], point["eps_value"]) == ("plain", "linf", "0.2")
    assert (point["interval"], point["runs"], point["n"]) == ("t", "3", "20")
    assert point["checks"] == "passed"
    assert {row["checks"] for row in rows if row["label"] != "plain"} == {"warned"}
    assert 0 < float(point["low"]) < float(point["accuracy"]) < float(point["high"]) < 1
    assert float(point["area"]) == pytest.approx(0.5 * float(point["area_share"]), abs=1e-6)


def test_json_is_one_document(runs: list[Run]) -> None:
    document = json.loads(table(runs[3], attack=PGD).render("json"))
    assert document["curves"][0]["points"][1] == {
        "eps": "0.1",
        "eps_value": 0.1,
        "accuracy": 0.85,
        "low": 0.639581,
        "high": 0.947631,
        "n": 20,
    }
    assert document["curves"][0]["runs"] == [runs[3].name]
    assert document["rows"][0]["eps_at_half_reached"] is False
    assert document["notes"][0] == WARNING
    assert document["notes"][1].startswith("pgd-at:eps=8/255 has 1 run")
    assert {entry["level"] for entry in document["checks"]} == {"pass", "warning"}
    assert document["verdict"] == "Checks: 1 warned, 1 passed."


def test_json_shows_what_each_seed_gave(runs: list[Run]) -> None:
    document = json.loads(table(runs[:2], attack=PGD).render("json"))
    point = document["curves"][0]["points"][2]
    assert point["values"] == [0.45, 0.5]
    assert (point["accuracy"], point["low"], point["high"]) == (0.475, None, None)


def test_what_was_too_costly_to_measure_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    left = {"level": "quick", "left_out": ["convergence"]}
    run.save(make_evaluation(TWENTY, epsilons="0.3", signals=left))
    line = "Checks: 1 passed. Not measured: convergence (--checks full)."
    assert str(table(run)).endswith(line)
    run.save(make_evaluation(TWENTY, "linf-bim", epsilons="0.3", signals={"convergence": {}}))
    assert "Not measured" not in str(table(run))


def test_one_epsilon_needs_no_area(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(TWENTY, epsilons="0.3"))
    assert str(table(run)) == ONE


def test_two_runs_show_both_points(runs: list[Run]) -> None:
    shown = str(table(runs[:2], attack=PGD, epsilons="0.1")).splitlines()
    assert shown[1] == "Mean (both values) of two runs: no interval."
    assert shown[5].startswith("plain   95.0 (95.0, 95.0)  72.5 (70.0, 75.0)        39.5  ")


def test_a_section_whose_grids_differ_says_where_each_area_ends(tmp_path: Path) -> None:
    short, long = make_run(tmp_path, "sat"), make_run(tmp_path, "als")
    short.save(make_evaluation(TWENTY, epsilons="0:0.2:0.1"))
    long.save(make_evaluation(TWENTY, epsilons="0:0.4:0.1"))
    shown = str(table([short, long]))
    assert "70.0 [53.7–82.4] to 0.2" in shown and "45.6 [33.7–58.0] to 0.4" in shown


def test_a_network_that_withstands_shows_a_bound(runs: list[Run]) -> None:
    assert "> 0.5" in str(table(runs[3], attack=PGD))


def test_single_evaluations(runs: list[Run]) -> None:
    files = sorted((runs[0].path / "attacks").glob("*.json"))
    assert str(points_table(files)) == POINTS
    document = json.loads(points_table(files).render("json"))
    point = document["curves"][1]["points"][3]
    assert (point["eps"], point["accuracy"], point["broken"]) == ("0.3", 0.2, 16)
    assert document["curves"][1]["points"][0]["median_distance"] is None
    with pytest.raises(RunError, match="robustmix attack"):
        points_table([])


def test_attacks_of_one_norm_over_other_epsilons_have_their_own_columns(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation(TWENTY, "linf-fgsm", epsilons="0.01,0.02"))
    run.save(make_evaluation(TWENTY, "linf-pgd"))
    fgsm, pgd = table(run).sections
    assert (fgsm.header[2], pgd.header[2]) == ("ε=0.01", "ε=0.2")


def test_a_notebook_shows_the_table_with_its_notes(runs: list[Run]) -> None:
    shown = table(runs[3], attack=PGD)._repr_html_()
    assert "<th>ε=0.2</th>" in shown
    assert "<li>pgd-at:eps=8/255 has 1 run" in shown


def test_the_suffix_names_the_format(tmp_path: Path, runs: list[Run]) -> None:
    table(runs).save(tmp_path / "results.md")
    assert (tmp_path / "results.md").read_text("utf-8") == table(runs).render("markdown")
    with pytest.raises(UsageError, match=r"results.xls: no table format '.xls'; expected one of"):
        format_of(Path("results.xls"))
    with pytest.raises(UsageError, match="no format 'yaml'; type --format table"):
        table(runs).render("yaml")


def test_latex_escapes_what_latex_would_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, seed=None, checkpoint="a_b&c%{d}^~\\.pt")
    run.save(make_evaluation(TWENTY, epsilons="0.3"))
    escaped = r"a\_b\&c\%\{d\}\textasciicircum{}\textasciitilde{}\textbackslash{}.pt"
    assert escaped in table(run).render("latex")


@pytest.mark.parametrize(
    ("listed", "most", "chosen"),
    [
        ("0:0.5:0.025", 3, "0.1 0.2 0.3"),
        ("0:0.5:0.025", 4, "0.1 0.2 0.3 0.4"),
        ("0:16/255:1/255", 4, "2/255 4/255 8/255 16/255"),
        ("0:16/255:1/255", 2, "4/255 8/255"),
        ("0:5:0.25", 3, "1 2 3"),
        ("0:0.1:0.01", 3, "0.02 0.04 0.06"),
        ("0:1:0.5", 4, "0.5 1"),
        ("0:0.5:0.1", 1, "0.2"),
    ],
)
def test_epsilons_that_people_quote(listed: str, most: int, chosen: str) -> None:
    assert " ".join(map(str, choose(grid(ranges=[listed]), most))) == chosen


def test_one_image_in_n_can_be_seen() -> None:
    assert [digits_for(n) for n in (360, 1000, 10_000)] == [1, 1, 2]
    assert not math.isclose(float(Eps.parse("8/255")), 0.03)


def test_the_heading_does_not_hide_that_some_columns_are_of_fewer_images(tmp_path: Path) -> None:
    run, other = make_run(tmp_path), make_run(tmp_path, "mixup")
    run.save(make_evaluation(TWENTY, epsilons="0.1,0.2"))
    run.save(make_evaluation(TWENTY * 2, epsilons="0.3", identity={"samples": 40}))
    assert ", 1 run, 20 to 40 test images, " in table([run]).caption[0]
    rows = table([run]).frame.set_index("eps")["n"]
    assert dict(rows) == {"0": 40, "0.1": 20, "0.2": 20, "0.3": 40}
    other.save(make_evaluation(TWENTY, epsilons="0.1,0.2"))
    both = table([run, other])
    assert "images" not in both.caption[0]
    (section,) = both.sections
    assert [row[section.header.index("images")] for row in section.rows] == ["20 to 40", "20"]
