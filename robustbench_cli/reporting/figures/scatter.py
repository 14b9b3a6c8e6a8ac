"""Clean against robust accuracy: a point for each run, and the Pareto front.

Robust accuracy is that at `eps`, a panel for each attack. Where a group has several runs their mean
is the large point. The front joins the groups, by their means, that no other group beats in both
accuracies: single runs on it would be lucky seeds. Of more than eight groups those on the front, or
next to it, are in colour, or those that are highlighted. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import by_attack, described
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.reporting.tables.cells import NORMS, SMOOTHED
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class Scatter(Figure):
    eps: str | None = param(None, "of the robust accuracy; none: one of the grid")
    front: bool = param(True, "draw the Pareto front")
    width: float = param(3.2, "of a panel in inches; half more if there is one", low=2, high=12)
    height: float = param(2.9, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D

        from . import _canvas, _lines

        attacked = [curve for curve in selection.curves if curve.view != SMOOTHED]
        if not attacked:
            raise UsageError("certificates only; type --figure certified, or: robustmix attack RUN")
        panels = {
            key: (eps, [curve for curve in here if curve.at(eps)])
            for key, (eps, here) in by_attack(attacked, selection, self.eps).items()
        }
        curves = [curve for _, here in panels.values() for curve in here]
        labels = list(dict.fromkeys(curve.label for curve in curves))
        coloured = selection.highlighted(labels) or labels
        if len(coloured) > _lines.MOST and not selection.highlight:
            coloured = _best(list(panels.values()))
        looks = {label: _look(_canvas.line_style(i)) for i, label in enumerate(coloured)}
        columns = _canvas.columns_of(len(panels))
        width = self.width * (1.5 if columns == 1 else 1)
        names = [_canvas.wrapped(label, int(columns * width * 12) - 12) for label in coloured]
        handles = [
            Line2D([], [], label=name, markersize=6, **looks[label])
            for name, label in zip(names, coloured, strict=True)
        ]
        if rest := len(labels) - len(coloured):
            handles.append(Line2D([], [], label=_lines.others(rest), markersize=5, **_GREY))
        several = any(len(curve.runs) > 1 for curve in curves)
        if self.front:
            handles.append(
                Line2D([], [], label="Pareto front" + " of the means" * several, **_FRONT)
            )
        shape = _canvas.legend_shape([str(h.get_label()) for h in handles], columns * width)
        said = ["small: runs; large: their mean"] * several
        said.append(", ".join(common(curves)))
        with _canvas.style():
            extra = 0.16 * (shape[0] + "".join(names).count("\n") + len(said)) + 0.25
            canvas, axes = _canvas.panels(len(panels), width, self.height, extra, sharey=False)
            for (key, (eps, here)), panel in zip(panels.items(), axes, strict=True):
                self._points(panel, here, eps, looks)
                views = {view for _, view in panels}
                title = ", ".join(key if len(views) > 1 else key[:1])
                panel.set_title(_canvas.wrapped(title, int(width * 13)))
                norm = NORMS.get(here[0].norm, here[0].norm)
                panel.set_xlabel("clean accuracy (%)")
                panel.set_ylabel(described("accuracy", eps, here).replace("ε", f"{norm} ε"))
                panel.grid(color="0.9", linewidth=0.6)
            _lines.legend(canvas, handles, shape[1], said, columns * width)
        return canvas

    def _points(
        self, panel: Axes, curves: Sequence[Curve], eps: Eps, looks: dict[str, dict[str, Any]]
    ) -> None:
        for curve in sorted(curves, key=lambda curve: curve.label in looks):
            look = looks.get(curve.label, _GREY)
            at = curve.at(eps)
            values = at.values if at else ()
            x, y = [100 * v for v in curve.clean.values], [100 * v for v in values]
            single = len(values) == 1
            panel.plot(x, y, markersize=6 if single else 3.5, alpha=1 if single else 0.55, **look)
            if not single:
                mean = [100 * curve.clean.value], [100 * _robust(curve, eps)]
                panel.plot(*mean, markersize=8, markeredgecolor="white", **look)
        panel.margins(0.08)
        if self.front:
            _draw_front(panel, [(c.clean.value, _robust(c, eps)) for c in pareto(curves, eps)])


def _draw_front(panel: Axes, corners: Sequence[tuple[float, float]]) -> None:
    """Steps from the lower edge of the panel to its left one; what lies below is beaten."""
    left, bottom = panel.get_xlim()[0], panel.get_ylim()[0]
    panel.autoscale(False)
    steps = [(100 * corners[0][0], bottom)]
    for clean, robust in corners:
        steps += [(100 * clean, steps[-1][1]), (100 * clean, 100 * robust)]
    steps.append((left, steps[-1][1]))
    panel.plot(*zip(*steps, strict=True), zorder=1, **_FRONT)


def _best(panels: Sequence[tuple[Eps, Sequence[Curve]]]) -> list[str]:
    """The labels on a front, then on those of what is left, as long as they are few."""
    from . import _lines

    found: dict[str, None] = {}
    left = [(eps, list(curves)) for eps, curves in panels]
    while any(curves for _, curves in left):
        fronts = [pareto(curves, eps) for eps, curves in left]
        labels = [curve.label for front in fronts for curve in front]
        if found and len({*found, *labels}) > _lines.MOST:
            break
        found |= dict.fromkeys(labels)
        left = [
            (eps, [curve for curve in curves if curve not in front])
            for (eps, curves), front in zip(left, fronts, strict=True)
        ]
    return list(found)


_GREY: dict[str, Any] = {"color": "0.72", "marker": "o", "linestyle": "none"}
_FRONT: dict[str, Any] = {"color": "0.4", "linestyle": "--", "linewidth": 1.1}


def pareto(curves: Sequence[Curve], eps: Eps) -> list[Curve]:
    """Those whose means no other curve beats in both, by falling clean accuracy."""
    front: list[Curve] = []
    for curve in sorted(curves, key=lambda c: (-c.clean.value, -_robust(c, eps))):
        if not front or _robust(curve, eps) > _robust(front[-1], eps):
            front.append(curve)
    return front


def _robust(curve: Curve, eps: Eps) -> float:
    found = curve.at(eps)
    assert found is not None
    return found.value


def _look(style: dict[str, Any]) -> dict[str, Any]:
    return {"color": style["color"], "marker": style["marker"], "linestyle": "none"}
