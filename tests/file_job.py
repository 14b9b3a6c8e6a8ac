"""A made-up job for what runs jobs: its result is one file, and a test says how it comes about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from robustbench_cli.jobs.kind import Kind


@dataclass(frozen=True)
class FileJob:
    path: Path
    needs: tuple[Path, ...] = field(default=(), kw_only=True)
    kind: Kind | None = field(default=None, kw_only=True)

    @property
    def home(self) -> Path:
        return self.path

    @property
    def records(self) -> list[Path]:
        return [self.path]

    @property
    def label(self) -> str:
        return self.path.name

    def done(self) -> bool:
        return self.path.is_file()
