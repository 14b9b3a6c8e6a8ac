"""Trackio, on this machine: `trackio show --project robustmix` opens its page.

Runs lie in TRACKIO_DIR, or in the Hugging Face cache. TRACKIO_SPACE_ID and TRACKIO_SERVER_URL, if
they are set, send them elsewhere. A run that goes on does so in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_cli.spec import param
from robustbench_cli.tracking.tracker import Tracker

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table


@dataclass(kw_only=True)
class Trackio(Tracker):
    package = "trackio"
    positional = "project"

    project: str = param("robustmix", "what runs are gathered in")

    def begin(self, name: str, config: Mapping[str, Any], folder: Path, known: str | None) -> str:
        import trackio

        self._trackio: Any = trackio
        self._last = int(config.get("epochs") or 0)
        with redirect_stdout(StringIO()):  # how to open its page, for each run anew
            self._run: Any = self._open(name, config, "allow" if known else "never")
            if known and self._run.id != known:  # the latest of this name is another directory's
                self._trackio.finish()
                self._run = self._open(name, config, "never")
        return str(self._run.id)

    def _open(self, name: str, config: Mapping[str, Any], resume: str) -> Any:
        return self._trackio.init(
            project=self.project,
            name=name,
            config=dict(config),
            resume=resume,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def epoch(self, number: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=number)

    def result(self, name: str, table: Table, numbers: Mapping[str, float]) -> None:
        frame = table.frame.astype(object).where(table.frame.notna(), None)
        told = {name: self._trackio.Table(dataframe=frame), **numbers}
        self._run.log(told, step=self._last)

    def picture(self, name: str, path: Path) -> None:
        self._run.log({name: self._trackio.Image(str(path))}, step=self._last)

    def end(self, *, finished: bool) -> None:
        with redirect_stdout(StringIO()):
            self._trackio.finish()
