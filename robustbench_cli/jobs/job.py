"""What a job is, and where it works."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Data, Dataset, Images, open_data
from robustbench_cli.progress import Progress
from robustbench_cli.spec import build

from .kind import Kind


@dataclass(frozen=True)
class Where:
    """Folders and device of a job."""

    runs: Path = Path("runs")
    data: Path = Path("~/.cache/robustmix")
    device: str = "auto"

    @property
    def host(self) -> Where:
        """The same without a device, for who asks what images there are and computes nothing.

        A process that only hands out jobs so takes no memory of a GPU.
        """
        return replace(self, device="cpu")


class Job(Protocol):
    """What the grid runs; `path` is where the result lies once the job is done."""

    @property
    def path(self) -> Path: ...

    @property
    def home(self) -> Path:
        """The run that the job makes, or whose directory its result lies in."""
        ...

    @property
    def records(self) -> list[Path]:
        """What tells of the results, once the job is done."""
        ...

    @property
    def label(self) -> str: ...

    @property
    def needs(self) -> tuple[Path, ...]:
        """The runs that must be finished before."""
        ...

    @property
    def kind(self) -> Kind | None:
        """With whom it has in common how much memory of a GPU it takes.

        None: it takes none, or of a GPU that it names itself, so nobody makes it wait.
        """
        ...

    def done(self) -> bool: ...

    def run(self, progress: Progress | None = None) -> Path: ...


def load_data(spec: str, where: Where, **options: Any) -> Data:
    """A data set on the job's device; `options` as for :func:`open_data`."""
    dataset = build(Dataset, spec, trusted=False)
    return open_data(dataset, where.data.expanduser(), devices.choose(where.device), **options)


def division(config: Mapping[str, Any]) -> dict[str, Any]:
    """How a run's data set is divided, as options for `load_data`, as far as its config says."""
    kept = ("validation", "train_fraction", "label_noise", "seed")
    return {key: config[key] for key in kept if key in config}


def held_out(spec: str, where: Where, validation: float) -> Images:
    """The validation images, which are the same for every seed; read once, as test images are."""
    stamp = build(Dataset, spec, trusted=False).stamp()
    return _held_out(spec, where.data, where.device, validation, stamp)


@lru_cache(maxsize=4)
def _held_out(spec: str, root: Path, device: str, validation: float, _stamp: Hashable) -> Images:
    if device != "cpu":
        here = _held_out(spec, root, "cpu", validation, _stamp)
        return here.to(devices.choose(device))
    data = load_data(spec, Where(data=root, device=device), validation=validation)
    return data.validation.named(data.classes)


def data_facts(spec: str, where: Where, **options: Any) -> dict[str, Any]:
    """What a run trained on these data now would write down of them; `options` as above."""
    if options.get("train_fraction", 1) == 1 and not options.get("label_noise"):
        options["seed"] = 0  # it decides nothing then, so all seeds of a grid ask once
    stamp = build(Dataset, spec, trusted=False).stamp()
    return _facts(spec, where.data, tuple(sorted(options.items())), stamp)


@lru_cache(maxsize=64)
def _facts(
    spec: str, root: Path, options: tuple[tuple[str, Any], ...], _stamp: Hashable
) -> dict[str, Any]:
    return load_data(spec, Where(data=root, device="cpu"), **dict(options)).facts()
