"""What fits, by what is free or by what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from robustbench_cli.data import memory
from robustbench_cli.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "bytes_"),
    [("0", 0), ("1000", 1000), ("5K", 5 * 2**10), ("500MB", 500 * 2**20), ("8 gib", None)],
)
def test_a_number_of_bytes(asked: str, bytes_: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.VARIABLE, asked)
    if bytes_ is None:
        with pytest.raises(UsageError, match="ROBUSTMIX_HOLD=8 gib is no number of bytes; write 0"):
            memory.fits_memory(1)
    else:
        assert memory.fits_memory(bytes_) and not memory.fits_memory(bytes_ + 1)


def test_a_third_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    monkeypatch.setattr(memory, "_available", lambda: 300)
    assert memory.fits_memory(100) and not memory.fits_memory(101)


def test_a_container_may_have_less_than_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    machine = memory._available()
    assert 0 < machine < 2**62
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._available() > 1000
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory._available() == 4000


def test_what_is_here_fits_here() -> None:
    assert memory.fits_device(torch.zeros(1), torch.device("cpu"))
