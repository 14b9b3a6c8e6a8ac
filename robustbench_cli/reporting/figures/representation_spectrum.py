"""How many directions hold a class in each hidden layer: a panel for each layer.

Drawn from `robustmix analyse -n representation-spectrum`, a line for each group of runs, averaged
over classes and runs. `show=carried`: the share of the squared singular values that the first k
carry; the dotted line is the share that the analysis asks for, and the flatter the classes, the
earlier it is crossed. `values`: the singular values themselves, by the largest of their class, as
far down as 1e-4.
Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import pandas as pd

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

LEAST = 1e-4
"""By the largest: singular values below this are not drawn; the last of centred ones is 0."""


@dataclass(kw_only=True)
class RepresentationSpectrum(Figure):
    needs: ClassVar[tuple[str, ...]] = ("label", "layer", "rank", "value", "carried")
    settings: ClassVar[tuple[str, ...]] = ("share",)

    show: Literal["carried", "values"] = param("carried", "what is drawn against the rank")
    width: float = param(2.6, "of a panel, in inches", low=1.5, high=12)
    height: float = param(2.2, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D
        from matplotlib.ticker import StrMethodFormatter

        from . import _canvas

        groups = _grouped(self.answers(selection))
        layers = list(
            dict.fromkeys(
                layer
                for alike in groups.values()
                for answer in alike
                for layer in answer.analysed.table["layer"].unique()
            )
        )
        shares = {float(a.parameters["share"]) for alike in groups.values() for a in alike}
        with _canvas.style():
            canvas, axes = _canvas.panels(
                len(layers), self.width, self.height, 0.2 * len(groups) + 0.1
            )
            columns = _canvas.columns_of(len(layers))
            for i, (panel, layer) in enumerate(zip(axes, layers, strict=True)):
                for number, alike in enumerate(groups.values()):
                    line = self._line(alike, layer)
                    if len(line):
                        colour = _canvas.COLOURS[number % len(_canvas.COLOURS)]
                        panel.plot(line.index, line, color=colour, marker=".", markersize=3)
                panel.set_xscale("log")
                last = int(panel.dataLim.x1)
                if last < 10:  # no power of ten beyond the first
                    panel.set_xticks(range(1, last + 1))
                    panel.minorticks_off()
                panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                panel.set_title(layer)
                panel.set_xlabel("singular values, from the largest on")
                if self.show == "carried":
                    panel.set_ylim(-2, 102)
                    for share in shares:
                        panel.axhline(100 * share, color="grey", linewidth=0.8, linestyle=":")
                else:
                    panel.set_yscale("log")
                    panel.set_ylim(LEAST, 1.3)
                if i % columns == 0:
                    carried = self.show == "carried"
                    panel.set_ylabel("carried (%)" if carried else "by the largest")
            handles = [
                Line2D([], [], color=_canvas.COLOURS[i % len(_canvas.COLOURS)], label=name)
                for i, name in enumerate(groups)
            ]
            canvas.legend(
                handles=handles,
                loc="outside lower center",
                ncols=_canvas.legend_shape(list(groups), columns * self.width)[1],
                frameon=False,
            )
        return canvas

    def _line(self, alike: Sequence[Answer], layer: str) -> pd.Series:
        """Index: rank; the mean over the classes of all runs that have the layer."""
        tables = [answer.analysed.table.assign(run=i) for i, answer in enumerate(alike)]
        rows = pd.concat([table[table["layer"] == layer] for table in tables])
        if self.show == "carried":
            each = 100 * rows["carried"]
        else:
            largest = rows.groupby(["run", "label"])["value"].transform("max")
            each = (rows["value"] / largest).where(largest > 0)
        line = each.groupby(rows["rank"]).mean()
        return line[line > LEAST]


def _grouped(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """By what the legend calls them; specs are told apart where there are several."""
    specs, found = {answer.spec for answer in answers}, dict[str, list[Answer]]()
    for answer in answers:
        name = answer.label + (f", {answer.spec}" if len(specs) > 1 else "")
        found.setdefault(name, []).append(answer)
    return found
