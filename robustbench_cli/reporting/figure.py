"""The contract of a figure, and saving one; matplotlib is loaded only when a figure is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robustbench_cli.errors import UsageError
from robustbench_cli.files import replacing
from robustbench_cli.spec import Plugin

from .analyses import Answer, of_name
from .selection import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 200


@dataclass(kw_only=True)
class Figure(Plugin):
    """A picture of a selection of runs; one file in figures/ each."""

    room: ClassVar[str] = "figures"
    needs: ClassVar[tuple[str, ...]] = ()  # columns of the analysis that it is named after
    settings: ClassVar[tuple[str, ...]] = ()  # and parameters in that analysis's record

    def draw(self, selection: Selection) -> Drawing:
        """
        Raises:
            RunError, UsageError: the selection holds nothing to draw.
        """
        raise NotImplementedError

    def answers(self, selection: Selection) -> list[Answer]:
        """What is stored of the analysis of the same name, with all that the picture needs.

        Raises:
            RunError: nothing is, or a column or a parameter is missing.
        """
        return of_name(selection.answers, self.name, self.needs, self.settings)


def check_suffix(path: Path) -> None:
    """
    Raises:
        UsageError: a suffix that names no picture format.
    """
    if path.suffix.lower() not in SUFFIXES:
        listing = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: no picture format {path.suffix!r}; expected one of {listing}")


def save_figure(drawing: Drawing, path: Path) -> None:
    """PNG, SVG or PDF by suffix; the same picture gives the same bytes."""
    check_suffix(path)
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    from matplotlib import rc_context

    with replacing(path) as beside, rc_context({"svg.hashsalt": "robustmix"}):
        if path.suffix.lower() == ".png":
            _save_png(drawing, beside)
        else:
            drawing.savefig(beside, dpi=DPI, metadata=undated.get(path.suffix.lower()))


def _save_png(drawing: Drawing, path: Path) -> None:
    """In 256 colours where they show what all of them show."""
    from PIL import Image

    from .few_colours import in_few_colours

    drawn = BytesIO()
    drawing.savefig(drawn, format="png", dpi=DPI)
    picture = Image.open(drawn).convert("RGB")
    chosen = in_few_colours(picture) or picture
    chosen.save(path, format="png", optimize=True, dpi=(DPI, DPI))
