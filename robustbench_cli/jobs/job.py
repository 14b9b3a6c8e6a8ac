"""What a job is, and where it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Data, Dataset, open_data
from robustbench_cli.progress import Progress
from robustbench_cli.spec import build


@dataclass(frozen=True)
class Where:
    """Folders and device of a job."""

    runs: Path = Path("runs")
    data: Path = Path("~/.cache/robustmix")
    device: str = "auto"


class Job(Protocol):
    """What the grid runs; `path` is where the result lies once the job is done."""

    @property
    def path(self) -> Path: ...

    @property
    def label(self) -> str: ...

    @property
    def needs(self) -> tuple[Path, ...]:
        """The runs that must be finished before."""
        ...

    def done(self) -> bool: ...

    def run(self, progress: Progress | None = None) -> Path: ...


def load_data(spec: str, where: Where, **options: Any) -> Data:
    """A data set on the job's device; `options` as for :func:`open_data`."""
    dataset = build(Dataset, spec, trusted=False)
    return open_data(dataset, where.data.expanduser(), devices.choose(where.device), **options)
