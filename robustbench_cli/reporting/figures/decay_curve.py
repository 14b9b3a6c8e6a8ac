"""Accuracy against epsilon: a panel for each attack, a line for each group of runs.

Bands are 95 % intervals: Student's t over three or more seeds, Wilson's for one run (test sampling
only), none for two runs, whose points are shown instead. Every panel has the epsilons of its own
norm; the accuracy axis is shared. More than eight lines are no picture: then each group has a small
panel, a line for each attack, the others grey behind it under the attack that finds most; or name
some of them, `--highlight pgd-at`, and all but those turn grey. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import in_percent
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.reporting.tables.cells import NORMS, SMOOTHED, in_255ths, listing, units
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from ._lines import Block, Line


@dataclass(kw_only=True)
class DecayCurve(Figure):
    bands: bool = param(True, "shade the 95 % intervals")
    chance: bool = param(True, "mark the accuracy of guessing, where the class count is known")
    width: float = param(
        3.2, "of a panel in inches; half as much again if there is one", low=2, high=12
    )
    height: float = param(2.7, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas, _lines

        curves = selection.curves
        labels = list(dict.fromkeys(curve.label for curve in curves))
        named = selection.highlighted(labels)
        said = [*self._intervals(curves), ", ".join(common(curves))]
        if named:
            return self._draw_named(selection, named, said)
        if len(labels) > _lines.MOST:
            return self._draw_small(selection, said)
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
                title = self._title(key, attacks)
                panel.set_title(_canvas.wrapped(title, int(width * 13)))
                self._dress(panel, here, first=number % columns == 0)
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

    def _draw_named(self, selection: Selection, named: list[str], said: list[str]) -> Drawing:
        """The named lines in colour, all others grey."""
        from . import _lines

        curves = selection.curves
        attacks = list(dict.fromkeys((curve.attack, curve.view) for curve in curves))
        panels = []
        for key in attacks:
            here = [curve for curve in curves if (curve.attack, curve.view) == key]
            lines = tuple(self._of(curve, selection, curve.label) for curve in here)
            panels.append(_lines.Panel(self._title(key, attacks), lines, self._dressing(here)))
        return _lines.draw_panels(
            panels,
            width=self.width,
            height=self.height,
            named=named,
            said=said,
            more=self._chance(curves),
        )

    def _draw_small(self, selection: Selection, said: list[str]) -> Drawing:
        """A small panel for each group; below each other where norms differ."""
        from . import _lines

        norms = list(dict.fromkeys(curve.norm for curve in selection.curves))
        blocks = [self._block(selection, norm) for norm in norms]
        worst = [_worst(selection.curves, norm)[0] for norm in norms]
        grey = f"grey: the others under {listing(worst)}, which find{'s' * (len(worst) == 1)} most"
        return _lines.draw_small(blocks, said=[*said, grey], more=self._chance(selection.curves))

    def _block(self, selection: Selection, norm: str) -> Block:
        from . import _lines

        curves = [curve for curve in selection.curves if curve.norm == norm]
        attacks = list(dict.fromkeys((curve.attack, curve.view) for curve in selection.curves))
        cells = {
            label: tuple(
                self._of(curve, selection, self._title((curve.attack, curve.view), attacks))
                for curve in curves
                if curve.label == label
            )
            for label in dict.fromkeys(curve.label for curve in curves)
        }
        worst = _worst(curves, norm)
        behind = (c for c in curves if (c.attack, c.view) == worst)
        lines = tuple(self._of(curve, selection, curve.label) for curve in behind)
        return _lines.Block(cells, lines, self._dressing(curves))

    def _of(self, curve: Curve, selection: Selection, label: str) -> Line:
        """A curve in percent at the chosen epsilons."""
        from . import _lines

        shown = selection.shown(curve)
        line = _lines.Line.through(
            label,
            [float(curve.epsilons[i]) for i in shown],
            [in_percent(curve.accuracy[i]) for i in shown],
        )
        return line if self.bands else replace(line, low=(), high=())

    def _dressing(self, curves: list[Curve]) -> Callable[[Axes], None]:
        return lambda panel: self._dress(panel, curves, first=True)

    def _title(self, key: tuple[str, str], attacks: list[tuple[str, str]]) -> str:
        return key[0] if len({view for _, view in attacks}) == 1 else ", ".join(key)

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
        return [*handles, *self._chance(curves)]

    def _chance(self, curves: list[Curve]) -> list[Any]:
        from matplotlib.lines import Line2D

        marked = self._marks_chance(curves)
        return [Line2D([], [], color="0.35", linestyle=":", label="chance")] * marked

    def _intervals(self, curves: list[Curve]) -> Iterator[str]:
        from . import _lines

        return _lines.intervals((curve.interval for curve in curves), bands=self.bands)


def _worst(curves: list[Curve], norm: str) -> tuple[str, str]:
    """The attack and view of a norm that leave the least accuracy, over all curves."""
    means: dict[tuple[str, str], list[float]] = {}
    for curve in curves:
        if curve.norm == norm and curve.view != SMOOTHED:
            shares = curve.share.value if curve.share else curve.accuracy[-1].value
            means.setdefault((curve.attack, curve.view), []).append(shares)
    if not means:  # certificates only
        return next((c.attack, c.view) for c in curves if c.norm == norm)
    return min(means, key=lambda key: sum(means[key]) / len(means[key]))


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
