"""Pictures named in a text file, one a line, as RobustBench lists its 5,000 of ImageNet.

A line is a file name, or a file name and a number of a class, from 0. A name with a folder is below
that folder, whose name is its class: ``n02096177/ILSVRC2012_val_00007956.JPEG``. A bare name is a
file of the folder itself, which then needs the number, or of the one class folder that has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from robustbench_cli.errors import RunError, UsageError

_LABELLED = re.compile(r"(?P<name>.*\S)\s+(?P<label>[0-9]{1,6})")
_BYTES = 2**30
_EXPECTED = "expected lines of NAME, or NAME LABEL with classes from 0"


@dataclass(frozen=True)
class Line:
    number: int
    name: str
    label: int | None


@dataclass(frozen=True)
class Listed:
    """What a list names in a folder."""

    folder: Path
    file: Path
    classes: int | None  # how many there are; None: as many as class folders, or as labels reach

    def read(self) -> tuple[list[tuple[str, int]], Sequence[str]]:
        """(File, class) of each line, in the order of the list, and the names of the classes.

        Raises:
            UsageError: no such list, or a class that nobody can tell.
            RunError: an unreadable one, or it names what is not there.
        """
        lines = self._lines()
        places = [self._find(line) for line in lines]
        labels = [self._label(line, place) for line, place in zip(lines, places, strict=True)]
        by_number = any(line.label is not None for line in lines)
        count = self.classes or len(self.folders) or max(labels) + 1
        if count < 2:
            raise UsageError(
                f"{self.file}: all pictures are of class {max(labels)}; say how many classes there "
                "are: classes=1000"
            )
        there = len(self.folders)
        if count < there or (there < count and not by_number):
            raise UsageError(
                f"folder: classes={count}, but {self.folder} has {there} class folders; "
                "write the number of the class behind each name in the list"
            )
        named = there == count
        for line, place, label in zip(lines, places, labels, strict=True):
            if label >= count:
                raise UsageError(
                    f"{self._at(line)}: class {label} of {count}, from 0; say how many there are: "
                    f"classes={label + 1}"
                )
            own = place.relative_to(self.folder).parts[:-1]
            if named and own and self.folders[label] != own[0]:
                raise UsageError(
                    f"{self._at(line)}: class {label}, but {own[0]} is number "
                    f"{self.folders.index(own[0])} of the class folders; leave the numbers out"
                )
        names = self.folders if named else [*map(str, range(count))]
        return [(str(p), label) for p, label in zip(places, labels, strict=True)], names

    @cached_property
    def folders(self) -> Sequence[str]:
        """The class folders that are there, sorted as torchvision's ImageFolder has them."""
        found = sorted(path.name for path in self.folder.iterdir() if path.is_dir())
        if "train" in found and "test" in found:
            raise UsageError(
                f"{self.folder} has train/ and test/; with list=FILE name one: "
                f"folder:{self.folder / 'test'}"
            )
        return found

    @cached_property
    def _homes(self) -> Mapping[str, Sequence[Path]]:
        """Where the files of the class folders lie, by their bare names."""
        found: dict[str, list[Path]] = {}
        for folder in self.folders:
            for path in (self.folder / folder).rglob("*"):
                found.setdefault(path.name, []).append(path)
        return found

    def _lines(self) -> Sequence[Line]:
        if not self.file.is_file():
            raise UsageError(f"no list {self.file}; {_EXPECTED}")
        try:
            if self.file.stat().st_size > _BYTES:
                raise RunError(f"{self.file} is larger than a gigabyte; {_EXPECTED}")
            text = self.file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as e:
            reason = getattr(e, "strerror", None) or "it is no text"
            raise RunError(f"cannot read the list {self.file}: {reason}; {_EXPECTED}") from e
        lines = []
        for number, line in enumerate(text.splitlines(), 1):
            if found := _LABELLED.fullmatch(line.strip()):
                lines.append(Line(number, found["name"], int(found["label"])))
            elif line.strip():
                lines.append(Line(number, line.strip(), None))
        if not lines:
            raise RunError(f"{self.file} names no picture; {_EXPECTED}")
        if all(line.label is None and line.name.isdigit() for line in lines):
            raise UsageError(
                f"{self.file} holds numbers alone; write NAME LABEL (the numbers of ImageNet's "
                "development kit are in another order than those of networks)"
            )
        return lines

    def _find(self, line: Line) -> Path:
        name = PurePosixPath(line.name)
        if name.is_absolute() or ".." in name.parts:
            raise RunError(f"{self._at(line)}: {line.name} is outside {self.folder}")
        place = self.folder / name
        if place.is_file():
            return place
        homes = self._homes.get(line.name, []) if len(name.parts) == 1 else []
        if len(homes) > 1:
            raise UsageError(
                f"{self._at(line)}: {line.name} lies in several folders; write CLASS/NAME"
            )
        if not homes:
            raise RunError(f"{self._at(line)}: {self.folder} has no {line.name}; {_EXPECTED}")
        return homes[0]

    def _label(self, line: Line, place: Path) -> int:
        if line.label is not None:
            return line.label
        parts = place.relative_to(self.folder).parts
        if len(parts) == 1:
            raise UsageError(
                f"{self._at(line)}: {line.name} is in no class folder; write its class behind it, "
                f"a number from 0: {line.name} 65"
            )
        return self.folders.index(parts[0])

    def _at(self, line: Line) -> str:
        return f"{self.file.name}, line {line.number}"
