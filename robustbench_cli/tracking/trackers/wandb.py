"""Weights & Biases, on this machine only unless WANDB_MODE says otherwise.

Runs lie in ./wandb, or below WANDB_DIR; `wandb sync --sync-all` sends them. With WANDB_MODE=online
they are live on its page. WANDB_ENTITY and the other variables of the tool are heeded. A run that
goes on has the same id: offline it is another folder of the same run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_cli.spec import param
from robustbench_cli.tracking.tracker import Tracker

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table


@dataclass(kw_only=True)
class Wandb(Tracker):
    package = "wandb"
    positional = "project"

    project: str = param("robustmix", "what runs are gathered in")

    def begin(self, name: str, config: Mapping[str, Any], folder: Path, known: str | None) -> str:
        mode = os.environ.get("WANDB_MODE", "offline")
        if mode == "offline":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it is read at the import
        import wandb

        settings = wandb.Settings(console="off", silent=mode == "offline")
        self._wandb: Any = wandb
        self._run: Any = wandb.init(
            project=self.project,
            id=known,
            name=name,
            config=dict(config),
            mode=mode,
            resume="allow",
            reinit="create_new",
            settings=settings,
        )
        self._last = int(config.get("epochs") or 0)
        return str(self._run.id)

    def epoch(self, number: int, numbers: Mapping[str, float]) -> None:
        self._run.log({"epoch": number, **numbers}, step=number, commit=True)  # now, not later

    def result(self, name: str, table: Table, numbers: Mapping[str, float]) -> None:
        frame = table.frame.astype(object).where(table.frame.notna(), None)
        self._run.log({name: self._wandb.Table(dataframe=frame)}, step=self._after)
        self._run.summary.update(dict(numbers))

    def picture(self, name: str, path: Path) -> None:
        self._run.log({name: self._wandb.Image(str(path))}, step=self._after)

    @property
    def _after(self) -> int:
        """A step behind all epochs: offline the tool does not know how many were told before."""
        return max(int(self._run.step), self._last + 1)

    def end(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
        self._wandb.teardown()
