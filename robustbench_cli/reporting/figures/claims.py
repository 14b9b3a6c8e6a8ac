"""Claims on one axis: the interval of each difference, and what it makes of the claim.

A row for each claim, coloured by its verdict; what makes a claim worthless, or is missing, stands
where its interval would be. Left of zero is the opposite of the claim; a bar across is the margin
that it gives. All intervals hold at once with 95 %. Costs, in percent, and every number of an
analysis that is no share have a panel of their own.
Cost: the paired bootstrap of every claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.claims import VERDICTS, Judged
from robustbench_cli.reporting.selection import Selection
from robustbench_cli.reporting.tables.claims import measure_text, relation_text
from robustbench_cli.spec import param

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_LOOKS: dict[str, dict[str, Any]] = {
    "supported": {"color": "#009E73", "marker": "o"},
    "not supported": {"color": "#E69F00", "marker": "s"},
    "contradicted": {"color": "#D55E00", "marker": "D"},
}
_MARGIN: dict[str, Any] = {"color": "0.3", "marker": "|", "markersize": 10, "linestyle": "none"}
_NONE: dict[str, Any] = {"color": "0.55", "marker": "o", "markerfacecolor": "white"}


_LINE = 0.14  # height of a line of a label, in inches
_POINTS, _COST = "difference (points)", "costs more by (%)"


def _axis(judged: Judged) -> str:
    """What its difference is measured in, as the axis says it."""
    if judged.claim.measure == "cost":
        return _COST
    if judged.unit in ("", "share"):
        return _POINTS
    unit = f" ({judged.unit})" if judged.unit not in ("count", "number") else ""
    return f"difference of {judged.claim.number or 'validation loss'}{unit}"


def _labels(judged: Sequence[Judged]) -> list[str]:
    from . import _canvas

    attacks = [each.attacks[0] if len(each.attacks) == 1 else None for each in judged]
    return [
        "\n".join(
            _canvas.wrapped(text, 40)
            for text in (relation_text(each.claim), measure_text(each.claim, attack))
        )
        for each, attack in zip(judged, attacks, strict=True)
    ]


@dataclass(kw_only=True)
class Claims(Figure):
    width: float = param(7.0, "in inches", low=4, high=20)
    row: float = param(
        0.42, "height of a claim in inches; more where its name is long", low=0.2, high=2
    )

    def draw(self, selection: Selection) -> Drawing:
        from matplotlib.lines import Line2D

        from . import _canvas

        judged = selection.judged
        if not judged:
            raise UsageError("no claims to draw; name their file: report --claims FILE.toml")
        grouped: dict[str, list[Judged]] = {}
        for one in judged:
            grouped.setdefault(_axis(one), []).append(one)
        order = sorted(grouped, key=lambda axis: (axis == _COST, axis != _POINTS))
        parts = [grouped[axis] for axis in order]
        lines = [max(label.count("\n") for label in _labels(part)) + 1 for part in parts]
        heights = [
            len(part) * max(self.row, _LINE * (tallest + 0.7)) + 0.6
            for part, tallest in zip(parts, lines, strict=True)
        ]
        verdicts = [v for v in VERDICTS if any(each.verdict == v for each in judged)]
        handles = [Line2D([], [], label=v, linewidth=2, **_LOOKS[v]) for v in verdicts]
        others = dict.fromkeys(
            each.verdict for each in judged if each.verdict not in VERDICTS and each.difference
        )
        if others:  # with a mark; what has none says in its row why
            handles.append(Line2D([], [], label=", ".join(others), linewidth=2, **_NONE))
        if any(each.claim.margin for each in judged):
            handles.append(Line2D([], [], label="margin of the claim", **_MARGIN))
        with _canvas.style():
            size = (self.width, sum(heights) + 0.45)
            canvas = _canvas.Canvas(figsize=size, layout="constrained")
            axes = canvas.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
            for part, panel in zip(parts, axes, strict=True):
                self._rows(panel, part)
            each = f"{100 * judged[0].confidence:.4g} %"
            said = f"{each} interval" if len(judged) == 1 else f"intervals of {each}, 95 % together"
            canvas.legend(
                handles=handles,
                title=said,
                loc="outside lower center",
                ncols=len(handles),
                frameon=False,
            )
        return canvas

    def _rows(self, panel: Axes, judged: Sequence[Judged]) -> None:
        scale = 100 if _axis(judged[0]) in (_POINTS, _COST) else 1
        for row, each in enumerate(judged):
            found, look = each.difference, _LOOKS.get(each.verdict, _NONE)
            said = each.verdict not in VERDICTS  # in words, through which no line goes
            ends = [row - 0.5, row + (0.5 if not said else 0.2 if found else -0.5)]
            panel.plot([0, 0], ends, color="0.3", linewidth=0.9, zorder=1)
            for margin in {bound for bound in each.claim.region if bound and abs(bound) < 1e9}:
                x = scale * margin
                panel.plot([x, x], [row - 0.3, row + 0.3], color="0.3", linewidth=1.4, zorder=1)
            if found is not None:
                if found.low is not None and found.high is not None:
                    ends = [scale * found.low, scale * found.high]
                    panel.plot(ends, [row, row], color=look["color"], linewidth=2, zorder=2)
                panel.plot([scale * found.value], [row], markersize=6, zorder=3, **look)
            if said:
                text = shorten(f"{each.verdict}: {each.why}", 62, placeholder=" …")
                shift = 0.36 if found is not None else 0
                panel.annotate(
                    text,
                    (0, row + shift),
                    xytext=(0.01, row + shift),
                    xycoords=("axes fraction", "data"),
                    textcoords=("axes fraction", "data"),
                    va="center",
                    fontsize=7,
                    color="0.35",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )
        panel.set_yticks(range(len(judged)), _labels(judged))
        panel.set_ylim(len(judged) - 0.5, -0.5)
        panel.grid(axis="x", color="0.9", linewidth=0.6)
        panel.set_xlabel(_axis(judged[0]))
