"""Files that are whole or absent, and names for them."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.errors import RunError
from robustbench_cli.files import digest, read_json, replacing, slug, write, write_json


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.csv"
    for text in ("first", "second"):
        write(path, text)
        assert path.read_text() == text
    assert listing(path.parent) == ["table.csv"]


def test_an_exception_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["table.csv"]


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "weights") as beside:
        beside.write_text("half")
        raise KeyboardInterrupt
    assert listing(tmp_path) == []


def test_the_temporary_file_is_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "decay.png") as beside:
        assert beside.parent == tmp_path
        assert beside.name.startswith(".") and beside.suffix == ".png"
        beside.write_text("")


HALF = """
import os, pathlib, signal
from robustbench_cli.files import replacing
with replacing(pathlib.Path("decay.png")) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    """Not what a living process is writing, nor another machine's, nor a file of the user's."""
    subprocess.run([sys.executable, "-c", HALF], cwd=tmp_path, check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part.png") and left.read_text() == "half"
    far = tmp_path / re.sub(r"robustmix-[0-9a-f]{8}", "robustmix-00000000", left.name)
    theirs = tmp_path / ".notes.part.png"
    for path in (far, theirs):
        path.write_text("")
    with replacing(tmp_path / "living.png") as living:
        write(tmp_path / "decay.png", "whole")
        assert living.exists() and not left.exists() and far.exists() and theirs.exists()
    assert (tmp_path / "decay.png").read_text() == "whole"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    before = os.umask(0o027)
    try:
        write(path, "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("place", ["file/below.json", "file/a/b/below.json", "x" * 300 + "/y"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*: .*") as refusal:
        write(tmp_path / place, "text")
    assert "\n" not in str(refusal.value)


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "table.csv" / "inside").mkdir(parents=True)
    with pytest.raises(RunError, match="cannot write"):
        write(tmp_path / "table.csv", "text")
    assert listing(tmp_path) == ["table.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"cannot write .*: Permission denied"):
        write(tmp_path / "table.csv", "text")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"cannot write .*: File too large"):
            write(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["table.csv"]


def test_json_and_back(tmp_path: Path) -> None:
    path, document = tmp_path / "run.json", {"ε": [1, 0.1, None, "8/255"]}
    write_json(path, document)
    assert read_json(path) == document
    assert "ε" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b"[1]", "expected a JSON object, found a list"),
        (b"null", "found a NoneType"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_a_damaged_document(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=message) as refusal:
        read_json(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_no_document(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*: No such file"):
        read_json(tmp_path / "run.json")


def test_a_name_is_readable() -> None:
    assert slug("digits-lenet5-pgd-at:eps=8/255,steps=7-s0") == (
        "digits-lenet5-pgd-at-eps=8_255-steps=7-s0"
    )


@given(st.text(max_size=400))
def test_no_name_leaves_its_folder_or_needs_quotes(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9=+._-]{0,120}", slug(text))


@given(st.text(alphabet="ab:,/", min_size=121, max_size=130), st.integers(0, 9), st.integers(0, 9))
def test_long_names_stay_distinct(text: str, first: int, second: int) -> None:
    assert (slug(f"{text}{first}") == slug(f"{text}{second}")) == (first == second)


def test_a_digest_is_of_the_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"weights")
    two.write_bytes(b"weights")
    assert digest(one) == digest(two) and re.fullmatch("[0-9a-f]{16}", digest(one))
    two.write_bytes(b"weightz")
    assert digest(one) != digest(two)


def test_json_is_written_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1})
    assert (tmp_path / "a.json").read_text() == json.dumps({"b": 1}, indent=2) + "\n"
