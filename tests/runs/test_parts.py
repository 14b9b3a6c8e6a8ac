"""Finished chunks are found again, and only those that belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_cli.runs import parts
from robustbench_cli.runs.parts import Parts


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CHUNK", 10)


def test_each_chunk_is_worked_on_once(tmp_path: Path) -> None:
    seen: list[slice] = []

    def work(here: slice, tell: object) -> dict[str, object]:
        seen.append(here)
        return {"first": here.start}

    first = Parts(tmp_path, {"a": 1}).each(25, work)
    again = Parts(tmp_path, {"a": 1}).each(25, work)
    assert first == again == [{"first": 0}, {"first": 10}, {"first": 20}]
    assert seen == [slice(0, 10), slice(10, 20), slice(20, 25)]


def test_stale_and_damaged_chunks_are_removed(tmp_path: Path) -> None:
    Parts(tmp_path, {"a": 1}).save(0, {"x": 1})
    other = Parts(tmp_path, {"a": 2})
    assert list(tmp_path.iterdir()) == []
    other.save(0, {"x": 2})
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text()[:-5])
    assert other.load(0) is None
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_after_the_chunk_is_safe(tmp_path: Path) -> None:
    told: list[tuple[int, int, str, int]] = []

    def progress(done: int, n: int, moment: object) -> None:
        told.append((done, n, moment(), len(list(tmp_path.iterdir()))))  # type: ignore[operator]

    def work(here: slice, tell: object) -> dict[str, object]:
        tell(0.5, "half")  # type: ignore[operator]
        return {}

    Parts(tmp_path, {}).each(20, work, progress)
    assert told == [(5, 20, "half", 0), (10, 20, "", 1), (15, 20, "half", 1), (20, 20, "", 2)]
