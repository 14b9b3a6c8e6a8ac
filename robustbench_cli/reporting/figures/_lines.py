"""Lines in panels; more than eight become small panels, one for each, the others grey behind it.

Where some are highlighted there are no small panels: those are in colour, and the rest is grey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from robustbench_cli.reporting.numbers.summary import Estimate, Interval

from . import _canvas

MOST = 8
"""Lines in one panel that an eye keeps apart."""
GREY: dict[str, Any] = {"color": "0.78", "linewidth": 0.8}
COLUMNS = 6
SMALL = (1.6, 1.3)  # inches

Dress = Callable[[Axes], None]
"""Names and scales the axes of a panel."""


@dataclass(frozen=True)
class Line:
    """Points (x, y); `low` and `high` bound a band or are empty; `each` has the y of every run."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    each: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def through(cls, label: str, x: Iterable[float], estimates: Sequence[Estimate]) -> Line:
        """A band where every estimate has an interval; the runs' own points where there are two."""
        bounds = [(e.low, e.high) for e in estimates if e.low is not None and e.high is not None]
        low, high = zip(*bounds, strict=True) if len(bounds) == len(estimates) else ((), ())
        few = all(len(e.values) == 2 for e in estimates)
        each = tuple(zip(*(e.values for e in estimates), strict=True)) if few else ()
        return cls(label, tuple(x), tuple(e.value for e in estimates), low, high, each)


@dataclass(frozen=True)
class Panel:
    """Lines of different labels in one pair of axes."""

    title: str
    lines: tuple[Line, ...]
    dress: Dress


@dataclass(frozen=True)
class Block:
    """Small panels that share their axes: by title, the lines in colour; `behind` all of them."""

    cells: Mapping[str, tuple[Line, ...]]
    behind: tuple[Line, ...]
    dress: Dress


def draw_panels(
    panels: Sequence[Panel],
    *,
    width: float,
    height: float,
    named: Sequence[str] = (),
    said: Sequence[str] = (),
    more: Sequence[Line2D] = (),
    sharey: bool = True,
) -> _canvas.Canvas:
    """A legend below all, which `more` joins; `said` is its title, line by line.

    `named`: the labels in colour.
    """
    labels = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    if len(labels) > MOST and not named:
        return draw_small([_single(panel, labels) for panel in panels], said=said, more=more)
    coloured = list(named) or labels
    columns = _canvas.columns_of(len(panels))
    width *= 1.5 if columns == 1 else 1
    names = [_canvas.wrapped(label, int(columns * width * 12) - 12) for label in coloured]
    looks = {label: _canvas.line_style(i) for i, label in enumerate(coloured)}
    handles = [
        Line2D([], [], label=name, markersize=4, linewidth=1.4, **looks[label])
        for name, label in zip(names, coloured, strict=True)
    ]
    rest = len(labels) - len(coloured)
    if rest:
        handles.append(Line2D([], [], label=others(rest), **GREY))
    handles += more
    shape = _canvas.legend_shape([str(h.get_label()) for h in handles], columns * width)
    with _canvas.style():
        extra = 0.16 * (shape[0] + "".join(names).count("\n") + len(said)) + 0.25
        canvas, axes = _canvas.panels(len(panels), width, height, extra, sharey=sharey)
        for number, (panel, place) in enumerate(zip(panels, axes, strict=True)):
            behind = [line for line in panel.lines if line.label not in looks]
            place.add_collection(_haze(behind), autolim=True)
            for line in panel.lines:
                if line.label in looks:
                    draw_line(place, line, looks[line.label])
            place.set_title(_canvas.wrapped(panel.title, int(width * 13)))
            _dress(place, panel.dress)
            if sharey and number % columns:
                place.set_ylabel("")
        legend(canvas, handles, shape[1], said, columns * width)
    return canvas


def draw_small(
    blocks: Sequence[Block], *, said: Sequence[str] = (), more: Sequence[Line2D] = ()
) -> _canvas.Canvas:
    """One small panel for each cell; `more` joins the legend."""
    keys = list(dict.fromkeys(x.label for b in blocks for c in b.cells.values() for x in c))
    one_each = all(len(cell) <= 1 for block in blocks for cell in block.cells.values())
    columns = min(COLUMNS, max(len(block.cells) for block in blocks))
    rows = [-(-len(block.cells) // columns) for block in blocks]
    inches = columns * SMALL[0] + 0.4
    looks = {key: 0 if one_each else i for i, key in enumerate(keys)}
    handles = [] if one_each else [_small_key(key, _small_look(i)) for key, i in looks.items()]
    handles += [Line2D([], [], label="the others", **GREY), *more]
    shape = _canvas.legend_shape([str(handle.get_label()) for handle in handles], inches)
    with _canvas.style():
        titles = [_title(title) for block in blocks for title in block.cells]
        tall = SMALL[1] + 0.12 * (max(title.count("\n") for title in titles))
        size = (inches, sum(rows) * tall + 0.16 * (shape[0] + len(said)) + 0.35 * len(rows))
        canvas = _canvas.Canvas(figsize=size, layout="constrained")
        grid = canvas.subplots(sum(rows), columns, squeeze=False)
        for i, block in enumerate(blocks):
            mine = list(grid[sum(rows[:i]) : sum(rows[: i + 1])].flat)
            for unused in mine[len(block.cells) :]:
                unused.remove()
            for number, (title, lines) in enumerate(block.cells.items()):
                panel, colours = mine[number], [_small_look(looks[x.label]) for x in lines]
                panel.add_collection(_haze(block.behind), autolim=True)
                for line, look in zip(lines, colours, strict=True):
                    draw_line(panel, line, look)
                panel.set_title(_title(title), fontsize=8)
                _dress(panel, block.dress)
                last_row = number + columns >= len(block.cells)
                _sparse(panel, left=number % columns == 0, below=last_row)
            _share_limits(mine[: len(block.cells)])
        legend(canvas, handles, shape[1], said, inches)
    return canvas


def draw_line(panel: Axes, line: Line, look: Mapping[str, Any]) -> None:
    style = {"markersize": 4, "linewidth": 1.4, **look}
    panel.plot(line.x, line.y, markevery=max(1, len(line.x) // 7), **style)
    if line.low:
        panel.fill_between(
            line.x, line.low, line.high, color=look["color"], alpha=0.18, linewidth=0
        )
    for values in line.each:
        panel.plot(line.x, values, ".", color=look["color"], markersize=3, alpha=0.6)


def legend(
    canvas: _canvas.Canvas,
    handles: Sequence[Any],
    columns: int,
    said: Sequence[str],
    inches: float,
) -> None:
    """Below everything, `said` above its entries."""
    box = canvas.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns,
        title="\n".join(_canvas.wrapped(text, int(inches * 15)) for text in said) or None,
        frameon=False,
        handlelength=3.2,
    )
    box.get_title().set_multialignment("center")


def intervals(kinds: Iterable[Interval], *, bands: bool = True) -> Iterator[str]:
    """What the bands and dots of lines through estimates are."""
    found = set(kinds)
    words = {
        "t": "95 % t interval over seeds",
        "wilson": "95 % Wilson interval of one run, test sampling only",
    }
    shown = [text for kind, text in words.items() if kind in found]
    if bands and shown:
        yield f"bands: {'; '.join(shown)}"
    if "none" in found:
        yield "two runs: mean and both points, no interval"


def others(count: int) -> str:
    return f"{count} other{'s' * (count > 1)}"


def _single(panel: Panel, labels: Sequence[str]) -> Block:
    """Every line of a panel in a small one of its own."""
    cells = {line.label: (line,) for line in panel.lines}
    ordered = {label: cells.get(label, ()) for label in labels}

    def dress(place: Axes) -> None:
        panel.dress(place)
        if panel.title:
            place.set_ylabel(f"{place.get_ylabel()}\n{panel.title}")

    return Block(ordered, panel.lines, dress)


def _haze(lines: Iterable[Line]) -> LineCollection:
    points = [list(zip(line.x, line.y, strict=True)) for line in lines]
    return LineCollection(points, colors=GREY["color"], linewidths=GREY["linewidth"], zorder=1)


def _dress(panel: Axes, dress: Dress) -> None:
    panel.grid(color="0.9", linewidth=0.6)
    panel.autoscale_view()
    dress(panel)


def _share_limits(panels: Sequence[Axes]) -> None:
    """The widest, so that lines in grey and in colour can be compared."""
    for get, put in ((Axes.get_xlim, Axes.set_xlim), (Axes.get_ylim, Axes.set_ylim)):
        limits = [get(panel) for panel in panels]
        for panel in panels:
            put(panel, min(low for low, _ in limits), max(high for _, high in limits))


def _small_look(index: int) -> dict[str, Any]:
    return {"color": _canvas.COLOURS[index % len(_canvas.COLOURS)], "linewidth": 1.6}


def _small_key(label: str, look: Mapping[str, Any]) -> Line2D:
    return Line2D([], [], label=label, **look)


def _sparse(panel: Axes, *, left: bool, below: bool) -> None:
    """Few ticks, and words only at the edge of the block."""
    locator, words = panel.xaxis.get_major_locator(), panel.xaxis.get_major_formatter()
    if isinstance(locator, FixedLocator) and isinstance(words, FixedFormatter):
        panel.set_xticks(list(locator())[::2], list(words.seq)[::2])
    elif isinstance(locator, MaxNLocator):
        locator.set_params(nbins=3)
    panel.tick_params(labelleft=left, labelbottom=below, labelsize=8)
    first = below and left
    panel.set_xlabel(_canvas.wrapped(panel.get_xlabel(), 26) if first else "", fontsize=8)
    wrapped = "\n".join(_canvas.wrapped(t, 16) for t in panel.get_ylabel().split("\n"))
    panel.set_ylabel(wrapped if left else "", fontsize=8)


def _title(text: str, width: int = 24) -> str:
    """Wrapped, inside of a word too where that is longer than a panel, after a hyphen if it can."""
    lines = []
    for line in _canvas.wrapped(text, width).split("\n"):
        while len(line) > width:
            cut = max(line.rfind("-", 0, width), line.rfind("=", 0, width)) + 1 or width
            lines.append(line[:cut])
            line = line[cut:]
        lines.append(line)
    return "\n".join(lines)
