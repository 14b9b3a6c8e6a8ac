"""Accuracy, area or robust accuracy against a numeric setting, a line for each method.

`x` is a setting of the training (`label-noise`, `train-fraction`, `lr`) or a parameter inside of a
spec (`info-mixup:p`, `batchout:size`, `wide-resnet:width`); where runs differ in one number only it
need not be said. A line joins runs that are the same but for `x` and the seed, and its name lacks
`x`. `y`: `robust`, accuracy at `eps`; `clean`; `area` under the decay curve, as a share of its
range; `half`, the epsilon at half of the clean accuracy. Bands are 95 % intervals: Student's t over
three or more seeds, Wilson's for one run. Cost: none, it only reads results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.figures._quantity import by_attack, described, estimate
from robustbench_cli.reporting.numbers.labels import group_of
from robustbench_cli.reporting.numbers.quantity import Quantity
from robustbench_cli.reporting.numbers.settings import Setting, differing, labels_without
from robustbench_cli.reporting.numbers.summary import Curve, Estimate
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.accuracy import common
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


@dataclass(kw_only=True)
class SettingCurve(Figure):
    positional: ClassVar[str | None] = "x"

    x: str = param("", "the setting; empty: the only number in which the runs differ")
    y: Quantity = param("accuracy", "what is held against it")
    eps: str | None = param(None, "for y=robust; none: one of the grid")
    log: bool = param(False, "a logarithmic axis")
    width: float = param(3.2, "of a panel in inches; half more if there is one", low=2, high=12)
    height: float = param(2.7, "of a panel, in inches", low=1.5, high=12)

    def draw(self, selection: Selection) -> Drawing:
        from . import _lines

        curves = selection.curves
        setting = Setting.of(self.x or _only(selection), selection.runs)
        labels = labels_without(selection.runs, selection.by, [setting])
        at = {group_of(run, selection.by): setting.number(run) for run in selection.runs}
        panels, kinds = [], set()
        whole = all(x.is_integer() for x in at.values() if x is not None)
        attacks = by_attack(curves, selection, self.eps if self.y == "accuracy" else None)
        if self.y == "clean":  # is the same under every attack: one that most groups went through
            by_groups = sorted(reversed(attacks), key=lambda key: len(attacks[key][1]))
            most = {view: (attack, view) for attack, view in by_groups}
            attacks = {key: attacks[key] for key in most.values()}
        for key, (eps, here) in attacks.items():
            points: dict[str, list[tuple[float, Estimate]]] = {}
            for curve in here:
                group = curve.bare_group
                found, x = estimate(curve, self.y, eps), at.get(group)
                if found is not None and x is not None and group in labels:
                    label = labels[group] + (f" + {curve.defence}" if curve.defence else "")
                    points.setdefault(label, []).append((x, found))
            lines = []
            for label, pairs in points.items():
                pairs.sort(key=lambda pair: pair[0])
                xs, ys = zip(*pairs, strict=True)
                kinds |= {each.interval for each in ys}
                lines.append(_lines.Line.through(label, xs, ys))
            views = {view for _, view in attacks}
            title = "" if self.y == "clean" else key[0]
            title = ", ".join(filter(None, [title, key[1] if len(views) > 1 else ""]))
            panels.append(
                _lines.Panel(title, tuple(lines), self._dressing(setting, eps, here, whole))
            )
        drawn = [line for panel in panels for line in panel.lines]
        if max((len(set(line.x)) for line in drawn), default=0) < 2:
            raise UsageError(
                f"no two values of {setting.name} to draw a line through; numbers in which these "
                f"runs differ: {', '.join(differing(selection.runs)) or 'none'}"
            )
        kept = [part for part in common(curves) if not part.endswith("each")]
        return _lines.draw_panels(
            panels,
            width=self.width,
            height=self.height,
            named=selection.highlighted(line.label for line in drawn),
            said=[*_lines.intervals(kinds), ", ".join(kept)],
            sharey=self.y != "half",
        )

    def _dressing(
        self, setting: Setting, eps: Eps, curves: list[Curve], whole: bool
    ) -> Callable[[Axes], None]:
        from matplotlib.ticker import MaxNLocator

        said = described(self.y, eps, curves)

        def dress(panel: Axes) -> None:
            panel.set_xlabel(setting.name)
            panel.set_ylabel(said)
            if self.log:
                panel.set_xscale("log")
            elif whole:  # no ticks between seven steps and eight
                panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.set_ylim(bottom=0)
            if self.y != "half" and panel.get_ylim()[1] > 100:
                panel.set_ylim(top=102)

        return dress


def _only(selection: Selection) -> str:
    """The one number in which the runs differ."""
    found = differing(selection.runs)
    if len(found) != 1:
        listed = ", ".join(found) or "none"
        first = found[0] if found else "label-noise"
        raise UsageError(
            f"setting-curve needs a setting: --figure setting-curve:{first}; "
            f"numbers in which these runs differ: {listed}"
        )
    return found[0]
