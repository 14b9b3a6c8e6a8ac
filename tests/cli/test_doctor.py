"""``robustmix doctor``, and what a shell offers after TAB."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from robustbench_cli.cli import main
from robustbench_cli.cli.completion import names_of
from robustbench_cli.data.datasets.mnist import Mnist
from robustbench_cli.spec import names


def test_doctor_tells_what_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / Mnist.folder
    place.mkdir(parents=True)
    for name in Mnist.files:
        (place / name).touch()
    finished = tmp_path / "runs/a"
    finished.mkdir(parents=True)
    (finished / "model.safetensors").touch()
    options = ["--data-dir", str(tmp_path), "--runs-dir", str(tmp_path / "runs")]
    assert main(["doctor", "--json", "--device", "cpu", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert found["device"]["chosen"] == "cpu"
    assert found["data"]["mnist"] == f"in {place}"
    assert found["data"]["cifar10"].startswith(f"not in {tmp_path}")
    assert set(found["data"]) == set(names("datasets"))
    assert "ray" in found["extras"] and "dev" not in found["extras"]
    assert found["runs"] == f"1 finished in {tmp_path / 'runs'}"


def test_doctor_answers_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "\ndata:\n" in told and "digits" in told


def test_tab_completes_specs_also_behind_a_plus() -> None:
    complete = names_of("methods")
    assert [name for name, _ in complete("pgd")] == ["pgd-at"]
    assert [name for name, _ in complete("mixup+pgd")] == ["mixup+pgd-at"]
    assert all(line for _, line in complete(""))
    assert [name for name, _ in complete("no such")] == []
