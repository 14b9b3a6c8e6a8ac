"""A folder that comes from the Hugging Face hub, attacked by its name."""

from __future__ import annotations

from pathlib import Path

import zoo
from console import Cli
from two_tones import SPEC

from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code


def test_a_folder_from_the_hub_is_attacked_by_its_name(cli: Cli, tmp_path: Path) -> None:
    allow_code("two_tones")
    folder = zoo.from_hub(tmp_path / "net", architectures=["ViTForImageClassification"])
    options = ("--data", SPEC, "-a", "linf-fgsm", "-e", "0.2", "--checks", "off")
    options += ("--runs-dir", str(tmp_path / "runs"), "--device", "cpu")
    shown = cli("attack", str(folder), *options, "--model", zoo.ENTRY.model, "--normalise", "none")
    assert shown.code == 0, shown
    (run,) = (Run.open(path) for path in (tmp_path / "runs").iterdir())
    assert run.name.endswith("net-none") and len(run.config["checkpoint_digest"]) == 16
    assert "type --data mnist" in cli("attack", str(folder)).line
