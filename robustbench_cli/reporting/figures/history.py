"""Training, epoch by epoch: loss, validation loss and accuracy, robust validation accuracy.

From history.csv: a panel for each of its columns, a line for each group, the mean over its seeds
with Student's 95 % interval from three on. `robust` is there where a run was trained with
`--stop-on`. `show=edge` and the like draw what methods reported. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.labels import group_of, label_groups
from robustbench_cli.reporting.numbers.summary import Estimate
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import param
from robustbench_cli.statistics.intervals import t_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_USUAL = "loss,validation-loss,validation,robust"
_NAMES = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "validation": "validation accuracy (%)",
    "robust": "robust validation accuracy (%)",
    "seconds": "seconds",
}


@dataclass(kw_only=True)
class History(Figure):
    show: str = param(_USUAL, "columns of history.csv, like loss,edge")
    width: float = param(3.2, "of a panel in inches; half more if there is one", low=2, high=12)
    height: float = param(2.7, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _lines

        groups = _histories(selection.runs, selection.by)
        columns = self._columns(pd.concat([h for each in groups.values() for h in each]))
        labels = label_groups(selection.runs, selection.by)
        panels, kinds = [], set()
        for column in columns:
            lines = []
            for group, histories in groups.items():
                having = [h.set_index("epoch")[column] for h in histories if column in h]
                scale = 100 if column in ("validation", "robust") else 1
                table = pd.concat(having, axis=1).dropna() * scale if having else pd.DataFrame()
                if not table.empty:
                    estimates = [_over(row, scale) for row in table.to_numpy(float)]
                    epochs = [float(epoch) for epoch in table.index]
                    lines.append(_lines.Line.through(labels[group], epochs, estimates))
                    runs = len(table.columns)
                    kinds |= {estimates[0].interval} if runs > 1 else set()
            panels.append(_lines.Panel("", tuple(lines), _dressing(column)))
        return _lines.draw_panels(
            panels,
            width=self.width,
            height=self.height,
            named=selection.highlighted(line.label for panel in panels for line in panel.lines),
            said=list(_lines.intervals(kinds)),
            sharey=False,
        )

    def _columns(self, rows: pd.DataFrame) -> list[str]:
        """Those that hold numbers; what is shown by default need not be there."""
        known = [str(c) for c in rows if c != "epoch" and np.isfinite(_numbers(rows[c])).any()]
        wanted = [name.strip().replace("-", "_") for name in self.show.split(",")]
        for name in wanted if self.show != _USUAL else []:
            if name not in known:
                raise UsageError(f"history: no column {name!r}; there are: {', '.join(known)}")
        return [name for name in wanted if name in known]


def _histories(runs: Iterable[Run], by: str) -> dict[str, list[pd.DataFrame]]:
    """By group; runs without a history, such as somebody else's weights, are left out."""
    found: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        try:
            rows = run.history()
        except RunError:
            continue
        if len(rows) and "epoch" in rows:
            found.setdefault(group_of(run, by), []).append(rows)
    if not found:
        raise RunError("no history.csv in these runs; train one: robustmix train")
    return found


def _over(values: np.ndarray, most: float) -> Estimate:
    """The mean of one number for each run; only shares have bounds."""
    listed = [float(value) for value in values]
    interval, mean = t_interval(listed), float(np.mean(listed))
    if interval is None or not all(map(isfinite, interval)):
        return Estimate(mean, None, None, "none", tuple(listed))
    low, high = interval
    if most == 100:
        low, high = max(0.0, low), min(100.0, high)
    return Estimate(mean, low, high, "t", tuple(listed))


def _numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(float)


def _dressing(column: str) -> Callable[[Axes], None]:
    def dress(panel: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        panel.set_xlabel("epoch")
        panel.set_ylabel(_NAMES.get(column, column.replace("_", " ")))
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    return dress
