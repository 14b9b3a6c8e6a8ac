"""``robustmix doctor``."""

from __future__ import annotations

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from robustbench_cli import __version__

from . import show
from .groups import Places

if TYPE_CHECKING:
    from pathlib import Path

# as in the package's own list: ray>=2.40; extra == 'ray'
_EXTRA = re.compile(r"""^([A-Za-z0-9._-]+).*;.*extra == ['"]([\w-]+)['"]""")


def doctor(
    *,
    places: Places,
    as_json: Annotated[bool, Option("--json", help="For a program.")] = False,
) -> None:
    """What is installed, which device is used, which data lie where, and what an option would need.

    \b
      robustmix doctor --data-dir ~/data
      robustmix doctor --json | jq .device
    """
    found = {
        "versions": _versions(),
        "device": _device(places.device),
        "extras": _extras(),
        "data": _data(places.data_dir.expanduser()),
        "runs": _runs(places.runs_dir),
    }
    show.emit(json.dumps(found, indent=2) if as_json else _text(found))


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "foolbox", "numpy")
    own = {"python": platform.python_version(), "robustmix": __version__}
    return own | {name: version(name) for name in packages}


def _device(name: str) -> dict[str, Any]:
    import os

    import torch

    from robustbench_cli import device

    chosen = device.choose(name)
    found = {"chosen": str(chosen), "is": device.describe(chosen), "cores": os.cpu_count()}
    if torch.version.cuda and not torch.cuda.is_available():
        found["cuda"] = f"torch is built for CUDA {torch.version.cuda}, but sees no GPU"
    return found


def _extras() -> dict[str, str]:
    """Of each extra, the version of its package, or what to type."""
    found = {}
    for line in requires("robustmix") or ():
        match = _EXTRA.match(line)
        if match and match[2] != "dev":
            try:
                state = f"{match[1]} {version(match[1])}"
            except PackageNotFoundError:
                state = f'not installed; type: pip install "robustmix[{match[2]}]"'
            found[match[2]] = state
    return found


def _data(root: Path) -> dict[str, str]:
    from robustbench_cli.data.dataset import Dataset
    from robustbench_cli.spec import find, names

    return {name: find(Dataset, name).whereabouts(root) for name in names("datasets")}


def _runs(folder: Path) -> str:
    finished = len(list(folder.glob("*/model.safetensors"))) if folder.is_dir() else 0
    return f"{finished} finished in {folder}"


def _text(found: dict[str, Any]) -> str:
    lines = []
    for title, entries in found.items():
        if isinstance(entries, str):
            lines.append(f"{title}: {entries}")
            continue
        width = max(map(len, entries), default=0)
        lines += [f"{title}:", *(f"  {key:<{width}}  {text}" for key, text in entries.items())]
    return "\n".join(lines)
