"""MLflow, in ./mlflow.db or wherever MLFLOW_TRACKING_URI says: `mlflow ui` shows it.

Tables and pictures are artifacts of the run (./mlruns without a server). A run that goes on does
so in the same place. MLflow's telemetry is off unless MLFLOW_DISABLE_TELEMETRY=false.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustbench_cli.locks import held
from robustbench_cli.spec import param
from robustbench_cli.tracking.tracker import Tracker

if TYPE_CHECKING:
    from robustbench_cli.reporting.formats.table import Table

_FORBIDDEN = re.compile(r"[^\w\-. :/]")  # in names of metrics
_AT_ONCE = 1000  # metrics
_LONGEST = 6000  # value of a parameter


@dataclass(kw_only=True)
class MLflow(Tracker):
    package = "mlflow"
    positional = "experiment"

    experiment: str = param("robustmix", "what runs are gathered in")

    def begin(self, name: str, config: Mapping[str, Any], folder: Path, known: str | None) -> str:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # both are read at the import
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient
        from mlflow.entities import Param

        with held(folder.parent / "mlflow", "mlflow"):  # two would make the database at once
            self._client: Any = MlflowClient()
            experiment = self._experiment()
        if known and self._goes_on(known):
            self._id = known
            return known
        run = self._client.create_run(experiment, run_name=name)
        self._id = str(run.info.run_id)
        settings = [Param(key, str(value)[:_LONGEST]) for key, value in config.items()]
        self._client.log_batch(self._id, params=settings)
        return self._id

    def _goes_on(self, known: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(known, status="RUNNING")
        except MlflowException:
            return False
        return True

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # another process may have been faster
            if self._client.get_experiment_by_name(self.experiment) is None:
                self._client.create_experiment(self.experiment)
        return str(self._client.get_experiment_by_name(self.experiment).experiment_id)

    def epoch(self, number: int, numbers: Mapping[str, float]) -> None:
        self._log(numbers, number)

    def result(self, name: str, table: Table, numbers: Mapping[str, float]) -> None:
        self._log(numbers, 0)
        for suffix, form in ((".md", "markdown"), (".csv", "csv")):
            self._client.log_text(self._id, table.render(form), f"{name}{suffix}")

    def _log(self, numbers: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_FORBIDDEN.sub("_", k), v, now, step) for k, v in numbers.items()]
        for first in range(0, len(metrics), _AT_ONCE):
            self._client.log_batch(self._id, metrics=metrics[first : first + _AT_ONCE])

    def picture(self, name: str, path: Path) -> None:
        self._client.log_artifact(self._id, str(path))

    def end(self, *, finished: bool) -> None:
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")
