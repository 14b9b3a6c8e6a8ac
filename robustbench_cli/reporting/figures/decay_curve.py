"""Accuracy against epsilon: a panel for each attack, a line for each group of runs.

Bands are 95 % intervals: Student's t over three or more seeds, Wilson's for one run (test sampling
only), none for two runs, whose points are shown instead. Every panel has the epsilons of its own
norm; the accuracy axis is shared. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.reporting.tables.cells import NORMS, in_255ths, units
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class DecayCurve(Figure):
    bands: bool = param(True, "shade the 95 % intervals")
    chance: bool = param(True, "mark the accuracy of guessing, where the class count is known")
    width: float = param(
        3.2, "of a panel in inches; half as much again if there is one", low=2, high=12
    )
    height: float = param(2.7, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas

        curves = selection.curves
        labels = list(dict.fromkeys(curve.label for curve in curves))
        attacks = list(dict.fromkeys((curve.attack, curve.view) for curve in curves))
        columns = _canvas.columns_of(len(attacks))
        width = self.width * (1.5 if columns == 1 else 1)
        longest = int(columns * width * 12) - 12
        names = [_canvas.wrapped(f"{label}{_runs(curves, label)}", longest) for label in labels]
        entries = [*names, *["chance"] * self._marks_chance(curves)]
        shape = _canvas.legend_shape(entries, columns * width)
        with _canvas.style():
            extra = 0.16 * (shape[0] + "".join(names).count("\n")) + 0.55
            canvas, axes = _canvas.panels(len(attacks), width, self.height, extra)
            for number, (key, panel) in enumerate(zip(attacks, axes, strict=True)):
                here = [c for c in curves if (c.attack, c.view) == key]
                for curve in here:
                    style = _canvas.line_style(labels.index(curve.label))
                    self._line(panel, curve, selection.shown(curve), style)
                title = key[0] if len({view for _, view in attacks}) == 1 else ", ".join(key)
                panel.set_title(_canvas.wrapped(title, int(width * 13)))
                self._dress(panel, here, first=number % columns == 0)
            said = [*self._intervals(curves), ", ".join(common(curves))]
            legend = canvas.legend(
                handles=self._handles(names, curves),
                loc="outside lower center",
                ncols=shape[1],
                title="\n".join(_canvas.wrapped(t, int(columns * width * 15)) for t in said),
                frameon=False,
                handlelength=3.2,
            )
            legend.get_title().set_multialignment("center")
        return canvas

    def _line(self, panel: Axes, curve: Curve, shown: Sequence[int], style: dict[str, Any]) -> None:
        x = [float(curve.epsilons[i]) for i in shown]
        estimates = [curve.accuracy[i] for i in shown]
        panel.plot(
            x,
            [100 * e.value for e in estimates],
            markersize=4,
            linewidth=1.4,
            **style,
            markevery=max(1, len(x) // 7),
        )
        bounds = [(e.low, e.high) for e in estimates if e.low is not None and e.high is not None]
        if self.bands and len(bounds) == len(x):
            low, high = zip(*bounds, strict=True)
            panel.fill_between(
                x,
                [100 * v for v in low],
                [100 * v for v in high],
                color=style["color"],
                alpha=0.18,
                linewidth=0,
            )
        elif len(curve.runs) == 2:
            for values in zip(*(e.values for e in estimates), strict=True):
                panel.plot(
                    x, [100 * v for v in values], ".", color=style["color"], markersize=3, alpha=0.6
                )

    def _dress(self, panel: Axes, curves: list[Curve], *, first: bool) -> None:
        norm = curves[0].norm
        panel.set_xlabel(f"ε ({NORMS.get(norm, norm)}, {units([norm])})")
        panel.set_ylim(-2, 102)
        panel.set_yticks(range(0, 101, 20))
        if first:
            panel.set_ylabel("accuracy (%)")
        reach = max(curve.reach for curve in curves)
        panel.set_xlim(-0.02 * float(reach), float(reach) * 1.02 or 1)
        if all(in_255ths(curve.epsilons) for curve in curves):
            ticks = list(_ticks(reach.value * 255))
            panel.set_xticks([k / 255 for k in ticks], [f"{k}/255" if k else "0" for k in ticks])
        panel.grid(color="0.9", linewidth=0.6)
        classes = {curve.classes for curve in curves}
        if self.chance and len(classes) == 1 and None not in classes:
            (count,) = classes
            panel.axhline(100 / (count or 1), color="0.35", linestyle=":", linewidth=1.2)

    def _marks_chance(self, curves: list[Curve]) -> bool:
        return self.chance and any(curve.classes for curve in curves)

    def _handles(self, names: list[str], curves: list[Curve]) -> list[Any]:
        from matplotlib.lines import Line2D

        from . import _canvas

        handles = [
            Line2D([], [], label=name, markersize=4, linewidth=1.4, **_canvas.line_style(i))
            for i, name in enumerate(names)
        ]
        if self._marks_chance(curves):
            handles.append(Line2D([], [], color="0.35", linestyle=":", label="chance"))
        return handles

    def _intervals(self, curves: list[Curve]) -> Iterator[str]:
        kinds = {curve.interval for curve in curves}
        words = {
            "t": "95 % t interval over seeds",
            "wilson": "95 % Wilson interval of one run, test sampling only",
        }
        shown = [text for kind, text in words.items() if kind in kinds]
        if self.bands and shown:
            yield f"bands: {'; '.join(shown)}"
        if "none" in kinds:
            yield "two runs: mean and both points, no interval"


def _runs(curves: list[Curve], label: str) -> str:
    """The number of runs, where groups differ in it."""
    if len({len(curve.runs) for curve in curves}) == 1:
        return ""
    counts = sorted({len(curve.runs) for curve in curves if curve.label == label})
    few, many = counts[0], counts[-1]  # attacks may have been tried on more or fewer runs
    span = str(many) if few == many else f"{few}–{many}"
    return f" ({span} run{'s' * (many > 1)})"


def _ticks(reach: Fraction) -> range:
    """0 to `reach` in 255ths, in at most five even steps."""
    step = next(s for s in (1, 2, 4, 8, 16, 32, 64) if reach / s <= 5 or s == 64)
    return range(0, int(reach) + 1, step)
