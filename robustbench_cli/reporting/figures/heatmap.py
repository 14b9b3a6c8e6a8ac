"""A number over two settings: robust or clean accuracy, area, epsilon at half.

`x` and `y` are settings as of `setting-curve` (`label-noise`, `info-mixup:p`), or words (`method`,
`model`, `augment`); where runs differ in two numbers only they need not be said. A panel for each
attack and each group that differs in more than the two. Cells are means over seeds, in percent but
for the epsilon at half. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import by_attack, described, estimate
from robustbench_cli.reporting.numbers.labels import group_of
from robustbench_cli.reporting.numbers.quantity import Quantity
from robustbench_cli.reporting.numbers.settings import Setting, Value, differing, labels_without
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.spec import param, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.image import AxesImage

Cells = Mapping[tuple[Value, Value], float]


@dataclass(kw_only=True)
class Heatmap(Figure):
    x: str = param("", "the setting across; empty: one of the two numbers in which runs differ")
    y: str = param("", "the setting down; empty: the other")
    value: Quantity = param("accuracy", "what a cell holds")
    eps: str | None = param(None, "for value=robust; none: one of the grid")
    cell: float = param(0.5, "height of a cell, in inches", low=0.3, high=3)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas

        x, y = (Setting.of(name, selection.runs) for name in self._axes(selection))
        labels = labels_without(selection.runs, selection.by, [x, y])
        place = {group_of(r, selection.by): (x.value(r), y.value(r)) for r in selection.runs}
        panels: dict[str, dict[tuple[Value, Value], float]] = {}
        attacks = by_attack(
            selection.curves, selection, self.eps if self.value == "accuracy" else None
        )
        said = set()
        for key, (eps, curves) in attacks.items():
            for curve in curves:
                group = curve.bare_group
                found, (right, up) = estimate(curve, self.value, eps), place[group]
                if found is None or right is None or up is None:
                    continue
                rest = labels[group] if len(set(labels.values())) > 1 else ""
                behind = f"behind {curve.defence}" if curve.defence else ""
                views = key[1] if len({view for _, view in attacks}) > 1 else ""
                title = ", ".join(filter(None, [rest, behind, key[0], views]))
                panels.setdefault(title, {})[right, up] = found.value
                said.add(described(self.value, eps, curves))
        if not panels:
            raise UsageError(f"no run with {x.name} and {y.name} was attacked; type others")
        across, down = (_ordered(c[i] for cells in panels.values() for c in cells) for i in (0, 1))
        values = [value for cells in panels.values() for value in cells.values()]
        with _canvas.style():
            margin = 0.9 + 0.065 * min(18, max(len(shorten(value)) for value in down))
            width = max(2.6, len(across) * max(self.cell, 0.55) * 1.1 + margin)
            height = len(down) * self.cell + 1.0
            canvas, axes = _canvas.panels(len(panels), width, height, 0.5, sharey=False)
            limits = min(values), max(values)
            for (title, cells), panel in zip(panels.items(), axes, strict=True):
                image = _draw(panel, cells, across, down, limits, self.value != "half")
                panel.set_title(_canvas.wrapped(title, int(width * 12)))
                panel.set_xlabel(x.name)
                panel.set_ylabel(y.name)
            bar = canvas.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
            bar.set_label(said.pop() if len(said) == 1 else f"{self.value} accuracy (%)")
            kept = [part for part in common(selection.curves) if not part.endswith("each")]
            inches = _canvas.columns_of(len(panels)) * width
            canvas.supxlabel(_canvas.wrapped(", ".join(kept), int(inches * 13)), fontsize=8)
        return canvas

    def _axes(self, selection: Selection) -> tuple[str, str]:
        if self.x and self.y:
            return self.x, self.y
        found = [name for name in differing(selection.runs) if name not in (self.x, self.y)]
        missing = 2 - bool(self.x) - bool(self.y)
        if len(found) != missing:
            listed = ", ".join(differing(selection.runs)) or "none"
            raise UsageError(
                "heatmap needs two settings: --figure heatmap:x=label-noise,y=method; "
                f"numbers in which these runs differ: {listed}"
            )
        return self.x or found.pop(0), self.y or found.pop(0)


def _ordered(values: Iterable[Value]) -> list[Value]:
    """Numbers by size; words as they come."""
    listed = list(dict.fromkeys(values))
    numbers: list[Value] = [*sorted(value for value in listed if isinstance(value, float))]
    return numbers if len(numbers) == len(listed) else listed


def _draw(
    panel: Axes,
    cells: Cells,
    across: list[Value],
    down: list[Value],
    limits: tuple[float, float],
    percent: bool,
) -> AxesImage:
    """The lowest number of `down` is at the bottom; words run from the top."""
    import numpy as np

    from . import _canvas

    table = np.full((len(down), len(across)), np.nan)
    for (x, y), value in cells.items():
        row, column = down.index(y), across.index(x)
        table[row, column] = value
        ink = "white" if value < sum(limits) / 2 else "black"
        text = f"{value:.1f}" if percent else f"{value:.3g}"
        panel.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    origin: Literal["lower", "upper"] = "lower" if isinstance(down[0], float) else "upper"
    image = panel.imshow(
        table, vmin=limits[0], vmax=limits[1], cmap="cividis", aspect="auto", origin=origin
    )
    names = [[_canvas.wrapped(shorten(value), 18) for value in axis] for axis in (across, down)]
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    long = max(map(len, names[0])) > 8
    panel.set_xticks(range(len(across)), names[0], **(slant if long else {}))
    panel.set_yticks(range(len(down)), names[1])
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)
    return image
