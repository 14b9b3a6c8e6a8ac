"""White-box, black-box and transferred attacks on one network, in one panel.

A panel for each group and norm, a line for each attack; what an attack may look at is in the
legend, as its evaluation recorded it: gradients (white box), scores or decisions (black box), or
nothing. What `robustmix transfer` showed the network is one line for each attack, the mean over the
other networks it was crafted on, shaded from the strongest to the weakest of them. A black-box line
below the white-box ones means masked gradients. `--highlight` names the groups to show. Cost: none,
it only reads results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import in_percent
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.reporting.tables.cells import NORMS, SMOOTHED, units
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from ._lines import Line

_ACCESS = {
    "gradient": "white box",
    "scores": "black box, scores",
    "decision": "black box, decisions",
    "none": "looks at nothing",
}


@dataclass(kw_only=True)
class AttacksCompared(Figure):
    width: float = param(3.0, "of a panel in inches; half more if there is one", low=2, high=12)
    height: float = param(2.5, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _lines

        curves = [curve for curve in selection.curves if curve.view != SMOOTHED]
        if not curves:
            raise RunError("certificates only; type: robustmix attack RUN -a linf-pgd")
        labels = list(dict.fromkeys(curve.label for curve in curves))
        access = _access(selection)
        norms = list(dict.fromkeys(curve.norm for curve in curves))
        views = {curve.view for curve in curves}
        panels, kinds = [], set()
        for norm in norms:
            for label in selection.highlighted(labels) or labels:
                here = [c for c in curves if (c.label, c.norm) == (label, norm)]
                lines = []
                for curve in here:
                    shown = selection.shown(curve)
                    name = f"{curve.attack} ({access.get(curve.attack, _ACCESS['gradient'])})"
                    name += f", {curve.view}" * (len(views) > 1)
                    x = [float(curve.epsilons[i]) for i in shown]
                    y = [in_percent(curve.accuracy[i]) for i in shown]
                    lines.append(_lines.Line.through(name, x, y))
                    kinds.add(curve.interval)
                lines += _transferred(selection, label, norm)
                if lines:
                    title = label if len(norms) == 1 else f"{label}, {NORMS.get(norm, norm)}"
                    panels.append(_lines.Panel(title, tuple(lines), _dressing(norm)))
        said = [*_lines.intervals(kinds), ", ".join(common(curves))]
        if any("(transferred)" in line.label for panel in panels for line in panel.lines):
            said.insert(
                0, "transferred: mean over the networks crafted on, shade: weakest to strongest"
            )
        return _lines.draw_panels(panels, width=self.width, height=self.height, said=said)


def _access(selection: Selection) -> dict[str, str]:
    """Attack -> what it may look at, in words."""
    found: dict[str, str] = {}
    for run in selection.runs:
        for evaluation in run.evaluations():
            name = evaluation.attack.partition(":")[0]
            words = _ACCESS.get(str(evaluation.record.get("access")), _ACCESS["gradient"])
            found[evaluation.attack] = "transferred" if name == "transfer" else words
    return found


def _transferred(selection: Selection, label: str, norm: str) -> Iterator[Line]:
    """A line for each attack whose images, made on other networks, were shown to this group."""
    from . import _lines

    rows = selection.transfers
    rows = rows[(rows["target_label"] == label) & (rows["norm"] == norm)]
    rows = rows[~rows["white_box"].astype(bool)]
    for attack, part in rows.groupby("attack", sort=False):
        sources = 100 * part.pivot_table(
            index="eps", columns="source_label", values="accuracy", aggfunc="mean"
        )
        sources = sources.dropna()
        by_eps = sorted((Eps.parse(str(text)), text) for text in sources.index)
        chosen = [t for e, t in by_eps if not selection.epsilons or e in selection.epsilons]
        table = sources.loc[chosen]
        if len(table):
            several = len(table.columns) > 1
            yield _lines.Line(
                f"{attack} (transferred)",
                tuple(float(Eps.parse(str(text))) for text in chosen),
                tuple(table.mean(axis=1)),
                tuple(table.min(axis=1)) if several else (),
                tuple(table.max(axis=1)) if several else (),
            )


def _dressing(norm: str) -> Callable[[Axes], None]:
    def dress(panel: Axes) -> None:
        panel.set_xlabel(f"ε ({NORMS.get(norm, norm)}, {units([norm])})")
        panel.set_ylabel("accuracy (%)")
        panel.set_ylim(-2, 102)
        panel.set_yticks(range(0, 101, 20))
        panel.set_xlim(left=0)

    return dress
