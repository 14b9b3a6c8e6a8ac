from __future__ import annotations

from pathlib import Path

from fake_runs import make_analysis, make_evaluation, make_run

from robustbench_cli import judge
from robustbench_cli.reporting.analyses import analysis_table
from robustbench_cli.reporting.numbers.labels import label_groups
from robustbench_cli.reporting.numbers.paths import short_paths
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import accuracy_table
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.run import Run

MINE, OTHERS = "npz:/home/me/set/x.npz", "npz:/home/other/x.npz,part=test"


def shortened(*texts: str) -> list[str]:
    return list(map(short_paths(texts), texts))


def attacked(folder: Path, data: str, method: str = "plain") -> Run:
    run = make_run(folder, method, data=data)
    run.save(make_evaluation([0.05, 0.15, 0.25, 0.35, 0.45]))
    return run


def test_of_a_path_remains_what_tells_it_from_others() -> None:
    assert shortened("folder:/a/b/pets,list=/a/names.txt") == ["folder:pets,list=names.txt"]
    assert shortened("npz:/a/b/x.npz", "npz:/a/c/x.npz") == ["npz:b/x.npz", "npz:c/x.npz"]
    assert shortened("npz:/x.npz", "npz:/a/x.npz") == ["npz:/x.npz", "npz:a/x.npz"]
    assert shortened("npz:/a/x.npz", "npz:/a/x.npz,part=test") == [
        "npz:x.npz",
        "npz:x.npz,part=test",
    ]


def test_what_is_no_absolute_path_stays() -> None:
    texts = ["digits", "pgd-at:eps=8/255", "npz:sub/x.npz", "hf:timm/resnet18", "https://a.org/b"]
    assert shortened(*texts) == texts


def test_labels_show_no_folders(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, data=data) for data in (MINE, OTHERS, "digits")]
    assert [*label_groups(runs).values()] == [
        "plain, npz:set/x.npz",
        "plain, npz:other/x.npz,part=test",
        "plain, digits",
    ]
    assert [*label_groups(runs[::2], "data").values()] == ["npz:x.npz", "digits"]


def test_twins_are_told_apart_by_as_much_of_their_directories(tmp_path: Path) -> None:
    twins = [make_run(tmp_path / name, seed=None, checkpoint="net.pt") for name in "ab"]
    assert [*label_groups(twins).values()] == [
        f"net.pt, {r.path.parent.name}/{r.name}" for r in twins
    ]


def test_headings_and_notes_show_none_either(tmp_path: Path) -> None:
    alone = Selection.of([attacked(tmp_path, MINE)])
    assert "npz:x.npz" in accuracy_table(alone).caption[0]
    longer = make_run(tmp_path, "sat", data=MINE)
    longer.save(make_evaluation([0.1] * 9))
    told = "\n".join([*Selection.of([*alone.runs, longer]).notes, str(accuracy_table(alone))])
    assert "npz:x.npz: some accuracies are of 5 images" in told and "/home" not in told


def test_analyses_and_verdicts_show_none_either(tmp_path: Path) -> None:
    runs = [attacked(tmp_path, data) for data in (MINE, OTHERS)]
    make_analysis(runs[0], "margin", Number("mean", 0.1, "pixels"))
    (heading, *_) = analysis_table(Selection.of(runs[:1]).answers).caption
    assert heading == "Analyses: npz:x.npz, lenet5."
    first, second = label_groups(runs).values()
    claim = {"better": first, "than": second, "measure": "clean"}
    told = str(judge(runs, {"claim": [claim]}))
    assert f"differ in data: {MINE[:4]}set/x.npz, npz:other/x.npz" in " ".join(told.split())
    assert "/home" not in told


def test_statements_name_groups_by_short_or_by_whole_paths(tmp_path: Path) -> None:
    runs = [attacked(tmp_path, MINE), make_run(tmp_path, data=OTHERS)]
    runs[1].save(make_evaluation([0, 0.05, 0.15, 0.25]))
    about = {"measure": "clean", "attack": "linf-pgd", "value": 75}
    by_method = ["plain, npz:other/x.npz,part=test", f"plain, {OTHERS}"]
    by_data = ["npz:other/x.npz,part=test", OTHERS, f"{OTHERS},layout=auto"]
    published = [{**about, "method": name} for name in by_method]
    published += [{**about, "method": name, "by": "data"} for name in by_data]
    assert list(judge(runs, {"published": published}).frame["ours"]) == [0.75] * 5
