"""TensorBoard's files in the run directory: `tensorboard --logdir runs` shows them.

They lie in RUN/tensorboard. Settings and tables are texts there, accuracies are scalars of step 0.
A run that goes on adds a file to the same folder.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_cli.tracking.tracker import Tracker

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table

FOLDER = "tensorboard"


@dataclass(kw_only=True)
class TensorBoard(Tracker):
    package = "tensorboard"

    def begin(self, name: str, config: Mapping[str, Any], folder: Path, known: str | None) -> str:
        from torch.utils.tensorboard import SummaryWriter

        goes_on = known is not None and (folder / FOLDER).is_dir()
        self._writer: Any = SummaryWriter(str(folder / FOLDER))
        if goes_on:
            return str(known)
        document = json.dumps(dict(config), indent=2)
        self._writer.add_text("config", f"```json\n{document}\n```")
        return uuid.uuid4().hex

    def epoch(self, number: int, numbers: Mapping[str, float]) -> None:
        for key, value in numbers.items():
            self._writer.add_scalar(f"epoch/{key}", value, number)
        self._writer.flush()

    def result(self, name: str, table: Table, numbers: Mapping[str, float]) -> None:
        self._writer.add_text(name, table.render("markdown"))
        for key, value in numbers.items():
            self._writer.add_scalar(key, value, 0)

    def picture(self, name: str, path: Path) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        self._writer.add_image(name, pixels, dataformats="HWC")

    def end(self, *, finished: bool) -> None:
        self._writer.close()
