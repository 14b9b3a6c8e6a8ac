"""matplotlib's drawings as SVG inside a page: small, with ids of their own, and a value at points.

Text stays text. Ids that nothing refers to are dropped, the others get the figure's name before
them, so that two figures on one page never share a clip path.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .element import el, printable

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Drawing

MOST = 400
"""Values in one figure that are shown under a finger; of more, none are."""
_DPI = 100  # of images inside
_SCALE = 1.6  # pixels for a point, where there is room
_UNDATED = {"Date": None, "Creator": None, "Format": None, "Type": None}
_FONTS = re.compile(r"'DejaVu Sans',.*?sans-serif")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_REFERRED = re.compile(r"url\(#([^)]+)\)")
_MEASURES = ("d", "x", "y", "points", "width", "height")


def inline(drawing: Drawing, name: str) -> Element:
    """The drawing as ``<svg>``; `name` is unique on the page and says what it shows."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": "robustmix", "svg.fonttype": "none"}):
        drawing.savefig(text, format="svg", dpi=_DPI, metadata=_UNDATED)
    root = ElementTree.fromstring(text.getvalue())
    _tidy(root, name)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"class": "plot", "role": "img", "aria-label": name.replace("-", " ")}
    # what matplotlib says of everything in a style sheet, which would hold for the whole page
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    width = float(root.get("viewBox", "0 0 600 400").split()[2])
    root.set("style", f"width: {width * _SCALE:.0f}px")
    points = list(_values(drawing))
    if len(points) <= MOST:
        root.append(el("g", *points, class_="values"))
    return root


def _tidy(root: Element, name: str) -> None:
    elements = list(root.iter())
    referred = {
        found
        for each in elements
        for key, value in each.attrib.items()
        for found in [*_REFERRED.findall(value), *[value[1:]] * (_bare(key) == "href")]
    }
    for parent in elements:
        for child in list(parent):
            if _bare(child.tag) in ("style", "metadata"):
                parent.remove(child)
    for each in elements:
        each.tag = _bare(each.tag)
        each.attrib = {_bare(k): v for k, v in each.attrib.items() if _bare(k) != "space"}
        if each.attrib.get("id") not in referred:
            each.attrib.pop("id", None)
        for key, value in each.attrib.items():
            each.attrib[key] = _value(key, value, name)
        if each.tag not in ("text", "tspan", "title"):
            each.text = each.text.strip() if each.text else None
        each.text = printable(each.text) if each.text else None
        each.tail = each.tail if each.tail and each.tail.strip() else None


def _value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return f"#{name}-{value[1:]}" if value.startswith("#") else value
    if key in _MEASURES:
        return " ".join(_LONG.sub(lambda number: f"{float(number[0]):.2f}", value).split())
    return _FONTS.sub("sans-serif", _REFERRED.sub(rf"url(#{name}-\1)", value))


def _bare(name: str) -> str:
    """Without its namespace, which HTML knows by itself."""
    return name.rpartition("}")[2]


def _values(drawing: Drawing) -> Iterator[Element]:
    """An unseen circle on each point of each line and scatter, which says what it is."""
    height = float(drawing.get_figheight()) * 72
    scale = 72 / float(drawing.dpi)
    for axes in drawing.axes:
        names = {key: text for legend in _legends(axes, drawing) for key, text in legend}
        for points, artist in _series(axes):
            label = str(artist.get_label())
            named = names.get(_colour(artist), "") if label.startswith("_") else label
            for (x, y), (left, below) in zip(
                points, axes.transData.transform(points) * scale, strict=True
            ):
                words = [named, _word(axes.xaxis, float(x)), _word(axes.yaxis, float(y))]
                yield el(
                    "circle",
                    el("title", ", ".join(filter(None, words))),
                    cx=f"{left:.1f}",
                    cy=f"{height - below:.1f}",
                    r=4,
                )


def _series(axes: Any) -> Iterator[tuple[Any, Any]]:
    """(points in data coordinates, artist) of what lies inside the axes."""
    from matplotlib.collections import PathCollection
    from numpy import isfinite, ma

    found = [(line.get_xydata(), line) for line in axes.get_lines()]
    found = [(xy, line) for xy, line in found if line.get_transform() == axes.transData]
    for collection in axes.collections:
        if isinstance(
            collection, PathCollection
        ):  # a scatter; others have offsets that say nothing
            found.append((ma.filled(collection.get_offsets(), float("nan")), collection))
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for xy, artist in found:
        if len(xy):
            x, y = xy[:, 0].astype(float), xy[:, 1].astype(float)
            inside = isfinite(x) & isfinite(y) & (left <= x) & (x <= right) & (low <= y)
            yield xy[inside & (y <= high)], artist


def _legends(axes: Any, drawing: Drawing) -> Iterator[list[tuple[str, str]]]:
    for legend in filter(None, [*drawing.legends, axes.get_legend()]):
        words = [text.get_text().replace("\n", " ") for text in legend.get_texts()]
        keys = [_colour(handle) for handle in legend.legend_handles]
        yield [(k, w) for k, w in zip(keys, words, strict=False) if keys.count(k) == 1]


def _colour(artist: Any) -> str:
    from matplotlib.colors import to_hex

    if hasattr(artist, "get_color"):
        return str(to_hex(artist.get_color()))
    colours = artist.get_facecolor()
    return str(to_hex(colours[0] if getattr(colours, "ndim", 1) == 2 else colours))


def _word(axis: Axis, value: float) -> str:
    """``accuracy (%) 93.1``; the name beside the tick where an axis of names has no label."""
    from matplotlib.ticker import FixedFormatter

    label = axis.get_label().get_text().replace("\n", " ")
    if not label and isinstance(axis.get_major_formatter(), FixedFormatter):
        ticks = list(axis.get_major_locator()())
        if not ticks:
            return ""
        nearest = min(range(len(ticks)), key=lambda i: abs(ticks[i] - value))
        return str(axis.get_major_formatter()(ticks[nearest], nearest)).replace("\n", " ")
    return f"{label} {value:.4g}".strip()
