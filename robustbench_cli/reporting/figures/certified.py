"""Certified and empirical accuracy in one panel: a proof from below, an attack from above.

A panel for each group that has certificates (`-a certify`), against the L2 radius: what is
certified of the smoothed network, and what attacks in L2 leave of the network that they attacked,
as the legend says. Only where both are one network does its true robust accuracy lie in between.
`--highlight` names the groups to show. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import in_percent
from robustbench_cli.reporting.numbers.summary import Curve
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.reporting.tables.cells import NORMS, SMOOTHED, units
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class Certified(Figure):
    width: float = param(3.2, "of a panel in inches; half more if there is one", low=2, high=12)
    height: float = param(2.7, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _lines

        curves = selection.curves
        proofs = [curve for curve in curves if curve.view == SMOOTHED]
        if not proofs:
            run = selection.runs[0].path
            raise RunError(
                f"no certificates in these runs; type: robustmix attack {run} -a certify"
            )
        groups = dict.fromkeys(curve.bare_group for curve in proofs)
        titles = {group: _title(group, curves) for group in groups}
        chosen = selection.highlighted(titles.values()) or titles.values()
        panels, shown = [], []
        for group in [group for group in groups if titles[group] in chosen]:
            here = [c for c in curves if c.bare_group == group and c.norm == proofs[0].norm]
            here.sort(key=lambda curve: curve.view != SMOOTHED)
            lines = []
            for curve in here:
                at = selection.shown(curve)
                x = [float(curve.epsilons[i]) for i in at]
                y = [in_percent(curve.accuracy[i]) for i in at]
                lines.append(_lines.Line.through(_name(curve), x, y))
            panels.append(_lines.Panel(titles[group], tuple(lines), _dressing(proofs[0].norm)))
            shown += here
        said = [*_lines.intervals(curve.interval for curve in shown), ", ".join(common(shown))]
        return _lines.draw_panels(panels, width=self.width, height=self.height, said=said)


def _title(group: str, curves: list[Curve]) -> str:
    curve = next(curve for curve in curves if curve.bare_group == group)
    return curve.label.removesuffix(f" + {curve.defence}") if curve.defence else curve.label


def _name(curve: Curve) -> str:
    if curve.view == SMOOTHED:
        return f"certified: {curve.attack}"
    behind = f" behind {curve.defence}" if curve.defence else f", {curve.view}"
    return f"attacked: {curve.attack}{behind}"


def _dressing(norm: str) -> Callable[[Axes], None]:
    def dress(panel: Axes) -> None:
        panel.set_xlabel(f"radius ({NORMS.get(norm, norm)}, {units([norm])})")
        panel.set_ylabel("accuracy (%)")
        panel.set_ylim(-2, 102)
        panel.set_yticks(range(0, 101, 20))
        panel.set_xlim(left=0)

    return dress
