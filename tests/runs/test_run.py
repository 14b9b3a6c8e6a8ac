"""Run directories: made, opened, found by patterns, and damaged."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import make

from robustbench_cli.errors import RobustmixError, RunError, UsageError
from robustbench_cli.runs.run import Run, create, load_runs

CONFIG = {"data": "digits", "model": "lenet5", "method": "plain", "seed": 0, "lr": 1e-3}


def test_a_run_is_what_its_directory_says(tmp_path: Path) -> None:
    made = create(tmp_path / "a", CONFIG, data={"shape": [1, 28, 28]})
    opened = Run.open(str(tmp_path / "a"))
    assert opened == made and opened.config == CONFIG and opened.name == "a"
    assert opened.record["status"] == "new" and not opened.finished
    assert {"torch", "numpy", "robustmix", "python"} <= set(opened.record["versions"])


def test_a_run_is_finished_once_it_says_so_and_has_weights(tmp_path: Path) -> None:
    run = create(tmp_path / "a", CONFIG)
    assert not run.update(status="done").finished
    run.weights.write_bytes(b"...")
    assert not run.finished
    done = Run.open(run.path).update(validation_accuracy=0.9)
    assert done.finished and Run.open(run.path).record["validation_accuracy"] == 0.9


def test_evaluations_are_kept_in_the_directory(tmp_path: Path) -> None:
    run = create(tmp_path / "a", CONFIG)
    assert run.evaluations() == run.transfers() == []
    for seed in (2, 1):
        run.save(make(seed=seed))
    (run.path / "attacks" / ".half.json.part").write_text("{")
    names = [e.file_name for e in run.evaluations()]
    assert names == sorted(names) and len(names) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "format None, expected 1"),
        ('{"format": 2, "config": {}}', "format 2, expected 1; use a newer robustmix"),
        ('{"format": 1}', "is damaged: it has no 'config'; train the run again"),
        ('{"format": 1, "config": {"data": "digits", "model": 5}}', "model is 5, expected a text"),
    ],
)
def test_a_run_json_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=message) as refusal:
        Run.open(tmp_path)
    assert str(tmp_path) in str(refusal.value) and "\n" not in str(refusal.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_no_config_is_too_strange_for_one_line(
    tmp_path_factory: pytest.TempPathFactory, config: object
) -> None:
    path = tmp_path_factory.mktemp("run")
    (path / "run.json").write_text(json.dumps({"format": 1, "config": config}))
    with pytest.raises(RunError, match="is damaged"):
        Run.open(path)


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no run: it has no run\.json; train one"):
        Run.open(tmp_path)
    with pytest.raises(RunError, match="has no weights yet"):
        _ = create(tmp_path / "a", CONFIG).weights_digest
    with pytest.raises(RunError, match=r"no readable history.csv"):
        create(tmp_path / "a", CONFIG).history()


# --- patterns ---


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for name in ("runs/b", "runs/a-s0", "runs/a-s1"):
        create(Path(name), CONFIG)
    Path("runs/notes").mkdir()
    Path("runs/todo.txt").write_text("")
    return ["a-s0", "a-s1", "b"]


def names(*patterns: str | Path) -> list[str]:
    return [run.name for run in load_runs(patterns)]


def test_a_folder_of_runs_stands_for_all_of_them(three: list[str]) -> None:
    assert names("runs") == names(Path("runs")) == names("runs/") == three


def test_patterns_and_paths(three: list[str]) -> None:
    assert names("runs/*") == three
    assert names("runs/a-*") == ["a-s0", "a-s1"]
    assert names("runs/a-s[1-9]") == ["a-s1"]
    assert [run.name for run in load_runs("runs/b")] == ["b"]


def test_each_run_counts_once_in_the_order_given(three: list[str], tmp_path: Path) -> None:
    assert names("runs/b", "runs/*", tmp_path / "runs" / "b", "runs/./a-s0") == [
        "b",
        "a-s0",
        "a-s1",
    ]


def test_the_name_of_a_run_is_that_of_its_directory(
    three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("runs/b")
    assert names(".") == ["b"]


def test_brackets_may_be_part_of_a_path(three: list[str]) -> None:
    shutil.move("runs", "runs [old]")
    assert names("runs [old]") == three


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("rums", "rums: no such file or directory; train one: robustmix train, or check the path"),
        ("rums/*", "no such file or directory"),
        ("runs/c-*", "no such file or directory"),
        ("runs/notes", "no run below it"),
        (".", "no run below it"),  # only one level down
        ("runs/[nt]*", "no run below it"),
    ],
)
def test_a_pattern_that_names_no_run(three: list[str], pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_runs(pattern)


@given(st.text(max_size=20))
def test_no_pattern_is_too_strange(pattern: str) -> None:
    with contextlib.suppress(RobustmixError):
        load_runs(f"nowhere-{pattern}")


def test_a_hugging_face_folder_is_called_by_its_name(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError) as e:
        load_runs(tmp_path)
    assert "is a Hugging Face folder, not a run" in str(e.value)
    assert f"robustmix attack {tmp_path} --data SPEC" in str(e.value)


def test_one_with_its_weights_in_several_files_too(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors.index.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match="weights lie in several files; join them into one"):
        load_runs(tmp_path)
