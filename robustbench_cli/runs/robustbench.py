"""The zoo of RobustBench: of each entry its network, where its weights are, and what was published.

robustbench:Wang2023Better_WRN-28-10            # the first of CIFAR-10, CIFAR-100 and ImageNet,
robustbench:cifar100/Wang2023Better_WRN-28-10   # and of L∞, L2 and corruptions, that has the name
robustbench:cifar10/l2/Wang2023Better_WRN-28-10

Croce et al., arXiv 2010.09670, https://robustbench.github.io; `robustbench.csv` holds facts of its
model list: threat model, network, normalisation, epsilon, and accuracies in percent, clean and
under AutoAttack (corruptions: the mean over them), with the lowest that anybody found since. The
weights are downloaded by the user, who agrees to their licence.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import names

PREFIX = "robustbench:"
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}
_MOST = 3
"""Entries that begin alike and are suggested, at most."""
_TABLE = Path(__file__).with_suffix(".csv")
_FOLDERS = {"linf": "Linf", "l2": "L2", "corruptions": "corruptions"}


@dataclass(frozen=True)
class Entry:
    """A row of the table; what is not known, or not there, is empty.

    model, normalise, weights_key: as on the command line; no model: not built here, for `reason`.
    eps, clean, robust, best_known: as published, the last three in percent.
    images: how pictures of ImageNet were brought to its size, which is the last word.
    source: the file's key at Google Drive, or its address.
    """

    data: str
    threat: str
    name: str
    architecture: str
    model: str
    normalise: str
    weights_key: str
    eps: str
    clean: str
    robust: str
    best_known: str
    images: str
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.data}/{self.threat}/{self.name}"

    @property
    def classes(self) -> int:
        return CLASSES[self.data]

    @property
    def address(self) -> str:
        """Where the weights can be downloaded."""
        if not self.source or "://" in self.source:
            return self.source
        return f"https://drive.google.com/uc?id={self.source}"

    def file(self, data_dir: Path) -> Path:
        """Where the weights are expected, in RobustBench's own order."""
        folder = data_dir.expanduser() / "robustbench" / self.data
        return folder / _FOLDERS[self.threat] / f"{self.name}.pt"

    def data_set(self) -> str:
        """The data set that it is for.

        Raises:
            UsageError: none of that name is known here; with what to type.
        """
        if self.data in names("datasets"):
            return self.data
        raise UsageError(
            f"{self} sees pictures of {self.data}, which only you have; type --data "
            f"folder:PATH,size={self.images.split()[-1]},fit=crop (RobustBench: {self.images})"
        )

    def published(self) -> str:
        """One line: what RobustBench says of it."""
        if self.threat == "corruptions":
            found = f"on corruptions {self.robust} % in the mean"
        else:
            found = f"under AutoAttack {self.robust} % at {self.threat} {self.eps}"
        if self.best_known:
            found += f" (lowest that is known: {self.best_known} %)"
        shown = "5,000 validation images" if self.data == "imagenet" else "all test images"
        return f"{self}: published: clean {self.clean} %, {found}, on {shown}."


@cache
def entries() -> tuple[Entry, ...]:
    """The whole table, in its order: CIFAR-10, CIFAR-100, ImageNet; L∞, L2, corruptions."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Entry(**row) for row in csv.DictReader(file))


def find_entry(text: str) -> Entry:
    """The entry that ``robustbench:[DATA/][THREAT/]NAME`` names; of several, the first.

    Raises:
        UsageError: no such entry, with those that begin so, or the nearest name.
    """
    *places, name = text.removeprefix(PREFIX).split("/")
    among = _at(text, [place.lower() for place in places])
    for each in among:
        if each.name.lower() == name.lower():
            return each
    elsewhere = [str(each) for each in entries() if each.name.lower() == name.lower()]
    known = {each.name.lower(): each.name for each in among}
    near = [each for each in known if name and each.startswith(name.lower())][:_MOST]
    near = near or difflib.get_close_matches(name.lower(), known, 1)
    stem = "".join(f"{place.lower()}/" for place in places)
    listed = elsewhere[:_MOST] or [f"{PREFIX}{stem}{known[each]}" for each in near]
    hint = f"did you mean {' or '.join(listed)}?" if listed else f"there are {len(among)}"
    where = f" for {' in '.join(places)}" if places else ""
    raise UsageError(
        f"RobustBench's list has no {name!r}{where}; {hint} (robustmix --list robustbench)"
    )


def _at(text: str, places: Sequence[str]) -> list[Entry]:
    """The entries of a data set, of a threat model, or of both."""
    known = [*CLASSES, *_FOLDERS]
    for place in places:
        if place not in known:
            near = difflib.get_close_matches(place, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
            raise UsageError(f"{text}: no data set or threat model {place!r}; {hint}")
    among = [each for each in entries() if {*places} <= {each.data, each.threat}]
    if not among:
        raise UsageError(f"{text}: RobustBench's list has no networks for {' in '.join(places)}")
    return among


def find_weights(entry: Entry, data_dir: Path) -> Path:
    """The file that the user has downloaded.

    Raises:
        UsageError: it is not there, with where to get it and where to put it; or its network is not
            built here.
    """
    if not entry.model:
        way = " Its file can be attacked with --model my_lab.nets:MyNet." if entry.source else ""
        raise UsageError(
            f"{entry} ({entry.architecture}) is not built here: {entry.reason}.{way} "
            f"{entry.published()}"
        )
    path = entry.file(data_dir)
    if not path.is_file():
        raise UsageError(f"no file {path}; download {entry.address} under this name")
    return path


def listing() -> str:
    """Every entry on a line: its name, its network, what was published; and how many are built."""
    rows = [_row(each) for each in entries()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    built = sum(bool(each.model) for each in entries())
    return "\n".join(
        [
            *(line.rstrip() for line in lines),
            f"{built} of these {len(rows)} networks are built here. After the name: clean accuracy "
            "in %, under AutoAttack (corruptions: their mean), at which epsilon.",
        ]
    )


def _row(entry: Entry) -> tuple[str, ...]:
    network = entry.model or f"not built: {entry.reason}"
    return str(entry), entry.clean, entry.robust, entry.eps, network
