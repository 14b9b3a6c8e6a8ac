"""Files below one folder, unpacked or still in a zip archive, which is read where it lies."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from robustbench_cli.errors import RunError

from .archives import open_member
from .sources import files_mark


class Tree(Protocol):
    """Names are relative to the folder, with slashes, also inside an archive."""

    def files(self, folder: str) -> list[str]:
        """The names of the files right below a folder, sorted; none where there is no folder."""
        ...

    def has(self, name: str) -> bool: ...

    def mark(self, names: Sequence[str]) -> str:
        """Another text whenever these files have changed, without reading them."""
        ...

    def read(self, name: str, most: int) -> bytes:
        """
        Raises:
            RunError: absent, damaged, or of more than `most` bytes.
        """
        ...


@dataclass(frozen=True)
class Unpacked:
    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def files(self, folder: str) -> list[str]:
        place = self.root / folder
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def has(self, name: str) -> bool:
        return (self.root / name).is_file()

    def mark(self, names: Sequence[str]) -> str:
        return files_mark(self.root / name for name in names)

    def read(self, name: str, most: int) -> bytes:
        path = self.root / name
        try:
            with path.open("rb") as file:
                found = file.read(most + 1)
        except OSError as e:
            raise RunError(f"cannot read {path}: {e.strerror or e}") from e
        if len(found) > most:
            raise RunError(_too_large(str(path), path.stat().st_size, most))
        return found


@dataclass(frozen=True)
class Zipped:
    """A folder of an archive; nothing is unpacked, and nothing read beyond its declared size."""

    path: Path
    folder: str

    def __str__(self) -> str:
        return str(self.path)

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as e:
            raise RunError(f"cannot read {self.path}: {e}; copy or download it again") from e

    @cached_property
    def _members(self) -> Mapping[str, Mapping[str, zipfile.ZipInfo]]:
        """By folder and name; one walk over the directory, as an archive may hold 100,000 files."""
        found: dict[str, dict[str, zipfile.ZipInfo]] = {}
        for member in self._archive.infolist():
            folder, _, name = member.filename.rpartition("/")
            if name:
                found.setdefault(folder, {})[name] = member
        return found

    def _inside(self, name: str) -> tuple[str, str]:
        folder, _, own = f"{self.folder}/{name}".rpartition("/")
        return folder, own

    def files(self, folder: str) -> list[str]:
        return sorted(self._members.get(f"{self.folder}/{folder}", {}))

    def has(self, name: str) -> bool:
        folder, own = self._inside(name)
        return own in self._members.get(folder, {})

    def mark(self, names: Sequence[str]) -> str:
        return "\n".join([files_mark([self.path]), *names])

    def read(self, name: str, most: int) -> bytes:
        folder, own = self._inside(name)
        where = f"{self.path}: {self.folder}/{name}"
        if not self.has(name):
            raise RunError(f"{where} is not there")
        member = self._members[folder][own]
        if member.file_size > most:
            raise RunError(_too_large(where, member.file_size, most))
        try:
            with open_member(self._archive, member) as file:
                return file.read(member.file_size + 1)  # one more, so that the CRC is compared
        except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as e:
            reason = " ".join(str(e).split())[:120] or type(e).__name__
            raise RunError(f"cannot read {where}: {reason}; copy or download it again") from e


def _too_large(where: str, size: int, most: int) -> str:
    return f"{where} has {size} bytes; expected {most} at most"
