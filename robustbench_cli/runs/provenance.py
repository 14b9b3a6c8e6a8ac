"""What a number depends on beside the config: versions, and the commit of the code."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robustbench_cli import __version__


@cache
def provenance() -> dict[str, Any]:
    """Written into every record: it says what a number was made by."""
    return {
        "versions": {
            "robustmix": __version__,
            "python": platform.python_version(),
            **{p: _version(p) for p in ("torch", "torchvision", "foolbox", "numpy")},
        },
        "commit": _commit(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """The commit of this package's checkout; None where it is no checkout of its own."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
