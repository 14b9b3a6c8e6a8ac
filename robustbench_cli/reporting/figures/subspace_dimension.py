"""Dimensions of the adversarial subspace: the share of images that have at least so many.

Drawn from `robustmix analyse -n subspace-dimension`: for each k, how many images have at least k
orthogonal directions that are adversarial together, a line for each group of runs; dashed, how many
of them also fool the other network, where there is one. The runs of a group are put together.
Cost: none, it only reads results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class SubspaceDimension(Figure):
    needs: ClassVar[tuple[str, ...]] = ("dimension",)
    settings: ClassVar[tuple[str, ...]] = ("most",)

    width: float = param(4.2, "of a panel, in inches", low=2, high=12)
    height: float = param(2.8, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _canvas

        panels: dict[str, dict[str, list[Answer]]] = {}
        for answer in self.answers(selection):
            panels.setdefault(answer.spec, {}).setdefault(answer.label, []).append(answer)
        labels = list(dict.fromkeys(label for groups in panels.values() for label in groups))
        with _canvas.style():
            canvas, axes = _canvas.panels(
                len(panels), self.width, self.height, 0.2 * len(labels) + 0.1
            )
            handles: dict[str, Any] = {}
            for panel, (spec, groups) in zip(axes, panels.items(), strict=True):
                for label, alike in groups.items():
                    colour = _canvas.COLOURS[labels.index(label) % len(_canvas.COLOURS)]
                    most = int(alike[0].parameters["most"])
                    k = np.arange(1, most + 1)
                    for column, dashes in (("dimension", "-"), ("shared", "--")):
                        if column in alike[0].analysed.table:
                            found = np.concatenate([a.analysed.table[column] for a in alike])
                            share = 100 * (found[:, None] >= k).mean(0)
                            name = label if column == "dimension" else f"{label}, shared"
                            (handles[name],) = panel.step(
                                k, share, where="mid", color=colour, linestyle=dashes
                            )
                panel.set_title(_canvas.wrapped(spec, int(self.width * 14)))
                panel.set_xlabel("orthogonal directions, at least")
                panel.set_ylim(-2, 102)
            axes[0].set_ylabel("images (%)")
            columns = min(len(panels), 3)
            shape = _canvas.legend_shape(list(handles), columns * self.width)
            canvas.legend(
                handles=list(handles.values()),
                labels=list(handles),
                loc="outside lower center",
                ncols=shape[1],
                frameon=False,
            )
        return canvas
