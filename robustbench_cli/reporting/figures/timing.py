"""Seconds and counted passes by method: of an epoch of training, and of an image attacked.

A point for each run, a bar for the mean of those of one machine; a machine is the description of
its device with every version that a record names, and seconds of two machines are never averaged.
`against=plain` shows multiples of what `plain` took on the same machine, and leaves out what has no
such partner. Passes are forwards and backwards of the network under attack, over all epsilons, and
hold on every machine. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.timing import Taken, collect_timing, relative
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.cells import listing
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class Timing(Figure):
    against: str = param("", "the group whose seconds are 1; empty: seconds")
    width: float = param(3.2, "of a panel, in inches", low=2, high=12)
    row: float = param(0.24, "height of a group, in inches", low=0.15, high=2)

    def draw(self, selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D

        from . import _canvas, _lines

        taken = collect_timing(selection.runs, selection.by, selection.attack)
        labels = list(dict.fromkeys(each.label for each in taken))
        if self.against and self.against not in labels:
            raise UsageError(f"timing: no group {self.against!r}; there are: {', '.join(labels)}")
        shown = relative(taken, self.against) if self.against else taken
        named = selection.highlighted(labels)
        machines = list(dict.fromkeys(each.machine for each in taken))
        panels = list(dict.fromkeys((each.of, each.counted) for each in shown))
        panels.sort(key=lambda panel: panel[1])  # seconds, then passes
        looks: dict[str, dict[str, Any]] = {
            m: {"color": _canvas.COLOURS[i % 7]} for i, m in enumerate(machines)
        }
        handles = [
            Line2D([], [], marker=_canvas.MARKERS[i % 9], linestyle="none", label=m, **looks[m])
            for i, m in enumerate(machines)
        ]
        said = list(self._said(taken, shown, machines))
        columns = _canvas.columns_of(len(panels))
        height = len(labels) * self.row + 0.85
        inches = columns * self.width
        shape = _canvas.legend_shape(machines, inches)
        with _canvas.style():
            extra = 0.16 * (shape[0] + len(said)) + 0.35
            canvas, axes = _canvas.panels(len(panels), self.width, height, extra)
            for (of, counted), panel in zip(panels, axes, strict=True):
                here = [each for each in shown if (each.of, each.counted) == (of, counted)]
                self._points(panel, here, labels, machines)
                panel.set_title(_canvas.wrapped(of, int(self.width * 13)))
                panel.set_xlabel(self._unit(of, counted))
                panel.set_yticks(range(len(labels)), labels)
                panel.set_ylim(len(labels) - 0.5, -0.5)
                panel.grid(color="0.9", linewidth=0.6)
                panel.set_xlim(left=0)
                panel.locator_params(axis="x", nbins=5)
                for tick in panel.get_yticklabels():
                    tick.set_color("0.6" if named and tick.get_text() not in named else "black")
            _lines.legend(canvas, handles, shape[1], said, inches)
        return canvas

    def _points(
        self, panel: Axes, taken: Sequence[Taken], labels: list[str], machines: list[str]
    ) -> None:
        from . import _canvas

        for i, machine in enumerate(machines):
            colour, shift = _canvas.COLOURS[i % 7], 0.5 * ((i + 0.5) / len(machines) - 0.5)
            for row, label in enumerate(labels):
                key = (label, machine)
                values = [self._scaled(e) for e in taken if (e.label, e.machine) == key]
                if values:
                    y = row + shift
                    bar = 0.5 / len(machines)
                    mean = sum(values) / len(values)
                    panel.barh(y, mean, height=bar, color=colour, alpha=0.3)
                    style: dict[str, Any] = {"markersize": 4, "color": colour, "linestyle": "none"}
                    marker = _canvas.MARKERS[i % 9]
                    panel.plot(values, [y] * len(values), marker=marker, **style)

    def _unit(self, of: str, counted: bool) -> str:
        if self.against:
            what = "passes" if counted else "seconds"
            return f"{what}, multiples of {self.against}"
        if of == "training":
            return "seconds per epoch"
        return "passes per image" if counted else "milliseconds per image"

    def _scaled(self, taken: Taken) -> float:
        thousand = not self.against and not taken.counted and taken.of != "training"
        return 1000 * taken.value if thousand else taken.value

    def _said(
        self, taken: Sequence[Taken], shown: Sequence[Taken], machines: list[str]
    ) -> list[str]:
        said = ["points: runs; bars: their mean"]
        if len(machines) > 1:
            said.append(f"seconds of {len(machines)} machines: compare within one colour")
        kept = {(each.label, each.machine) for each in shown if not each.counted}
        lost = {e.label for e in taken if not e.counted and (e.label, e.machine) not in kept}
        if lost:
            said.append(
                f"left out where {self.against} has no run on the machine: {listing(sorted(lost))}"
            )
        return said
