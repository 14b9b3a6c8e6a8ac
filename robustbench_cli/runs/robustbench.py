"""The zoo of RobustBench: of each entry its network, where its weights are, and what was published.

robustbench:Wang2023Better_WRN-28-10        # of the same name in L2: robustbench:l2/Wang2023...

Croce et al., arXiv 2010.09670, https://robustbench.github.io; `robustbench.csv` holds facts of its
model list (CIFAR-10; L∞, L2 and corruptions): threat model, network, normalisation, epsilon, and
accuracies in percent, clean and under AutoAttack (corruptions: the mean over them), with the lowest
that anybody found since. The weights are downloaded by the user, who agrees to their licence.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from robustbench_cli.errors import UsageError

PREFIX = "robustbench:"
_MOST = 3
"""Entries that begin alike and are suggested, at most."""
_TABLE = Path(__file__).with_suffix(".csv")
_FOLDERS = {"linf": "Linf", "l2": "L2", "corruptions": "corruptions"}


@dataclass(frozen=True)
class Entry:
    """A row of the table; what is not known, or not there, is empty.

    model, normalise, weights_key: as on the command line; no model: not built here.
    eps, clean, robust, best_known: as published, the last three in percent.
    drive: the file's key at Google Drive.
    """

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
    drive: str

    data: ClassVar[str] = "cifar10"

    def __str__(self) -> str:
        return f"{PREFIX}{self.threat}/{self.name}"

    def file(self, data_dir: Path) -> Path:
        """Where the weights are expected, in RobustBench's own order."""
        folder = data_dir.expanduser() / "robustbench" / self.data
        return folder / _FOLDERS[self.threat] / f"{self.name}.pt"

    def published(self) -> str:
        """One line: what RobustBench says of it."""
        if self.threat == "corruptions":
            found = f"on corruptions {self.robust} % in the mean"
        else:
            found = f"under AutoAttack {self.robust} % at {self.threat} {self.eps}"
        if self.best_known:
            found += f" (lowest that is known: {self.best_known} %)"
        return f"{self}: published: clean {self.clean} %, {found}, on all test images."


@cache
def entries() -> tuple[Entry, ...]:
    """The whole table, in its order: L∞, then L2, then corruptions."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Entry(**row) for row in csv.DictReader(file))


def find_entry(text: str) -> Entry:
    """The entry that ``robustbench:NAME`` or ``robustbench:THREAT/NAME`` names.

    A bare name that stands under several threat models means the first of L∞, L2 and corruptions,
    as at RobustBench.

    Raises:
        UsageError: no such entry, with those that begin so, or the nearest name.
    """
    given = text.removeprefix(PREFIX)
    threat, slash, name = given.rpartition("/")
    if slash and threat.lower() not in _FOLDERS:
        raise UsageError(f"{text}: no threat model {threat!r}; expected {', '.join(_FOLDERS)}")
    among = [each for each in entries() if not slash or each.threat == threat.lower()]
    for each in among:
        if each.name.lower() == name.lower():
            return each
    known = {each.name.lower(): each.name for each in among}
    near = [each for each in known if name and each.startswith(name.lower())][:_MOST]
    near = near or difflib.get_close_matches(name.lower(), known, 1)
    listed = " or ".join(f"{PREFIX}{threat.lower()}{slash}{known[each]}" for each in near)
    hint = f"did you mean {listed}?" if near else f"there are {len(among)}"
    raise UsageError(
        f"RobustBench's list has no {name!r}{f' for {threat}' * bool(slash)}; {hint} "
        "(https://robustbench.github.io)"
    )


def find_weights(entry: Entry, data_dir: Path) -> Path:
    """The file that the user has downloaded.

    Raises:
        UsageError: it is not there, with where to get it and where to put it; or its network is not
            built here.
    """
    if not entry.model:
        raise UsageError(
            f"{entry} is a {entry.architecture} of its own that is not built here; its file can be "
            f"attacked with --model my_lab.nets:MyNet. {entry.published()}"
        )
    path = entry.file(data_dir)
    if not path.is_file():
        raise UsageError(
            f"no file {path}; download https://drive.google.com/uc?id={entry.drive} under this name"
        )
    return path
