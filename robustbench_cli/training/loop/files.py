"""What a training writes into its run directory, and when it may go on in one that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import save_file

from robustbench_cli.data.dataset import Data, Images
from robustbench_cli.errors import RunError
from robustbench_cli.files import replacing
from robustbench_cli.models.model import Model
from robustbench_cli.runs.data_identity import refuse_others
from robustbench_cli.runs.rows import HISTORY
from robustbench_cli.runs.run import Run, create
from robustbench_cli.training.config import TrainConfig

COLUMNS = [column.name for column in HISTORY.columns]  # of history.csv, at least
LAST = "model-last.safetensors"  # beside the best epoch's weights


def open_run(
    path: Path, config: TrainConfig, data: Data, began: dict[str, Any] | None = None
) -> Run:
    """A new run, or the one that is there; `began`: what it says of the weights it begins with.

    Raises:
        RunError: it is another training's, or was begun on other images.
    """
    facts = data.facts()
    if not (path / "run.json").exists():
        facts["test_images"] = overlap(data)
        more = {"began": began} if began else {}
        return create(path, config.as_dict(), status="training", data=facts, **more)
    run = Run.open(path)
    if run.config != config.as_dict():
        raise RunError(
            f"{path} has other settings ({_difference(run.config, config)}); "
            "choose another --runs-dir, or type --force to train it again"
        )
    remedy = "choose another --runs-dir, or type --force to train it again"
    refuse_others(path, config.data, run.record.get("data") or {}, facts, remedy)
    return run


def overlap(data: Data) -> dict[str, int]:
    """How many test images there are, and how many of them are in the other parts, too."""
    tested = _marks(data.test)
    parts = {"train": data.train, "validation": data.validation}
    known = {name: set(_marks(images)) for name, images in parts.items()}
    shared = {name: sum(mark in marks for mark in tested) for name, marks in known.items()}
    return {"size": len(tested), **shared}


def _marks(images: Images) -> list[int]:
    """Equal where the pixels are, in this process."""
    return [
        hash(pixels.tobytes()) for block in images.blocks() for pixels in block.pixels.cpu().numpy()
    ]


def _difference(found: dict[str, Any], config: TrainConfig) -> str:
    """The first setting in which a recorded config differs."""
    for key, value in config.as_dict().items():
        if found.get(key) != value:
            return f"{key.replace('_', '-')} {found.get(key)}, asked for {value}"
    return "it was written by another version"


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """history.csv: one row per epoch."""
    with replacing(path / "history.csv") as beside:
        frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else COLUMNS)
        frame.to_csv(beside, index=False, lineterminator="\n")


def save_weights(model: Model, path: Path) -> None:
    with replacing(path) as beside:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, beside)
