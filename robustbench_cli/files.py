"""Files that are whole or absent: written beside their place, then renamed; and names for them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from .errors import RunError

_WRITING = re.compile(r"inline_container|PytorchStreamWriter|I/O error|os error \d")
_PART = re.compile(r"\.robustmix-(?P<here>[0-9a-f]{8})-(?P<process>[0-9]+)-\w+\.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends well.

    What killed processes left in the folder is swept first.
    """
    prefix, suffix = f".robustmix-{_here()}-{os.getpid()}-", f".part{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=path.parent)
        os.close(handle)
    except OSError as e:
        raise RunError(f"cannot write {path}: {e.strerror or e}") from e
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as e:
        raise RunError(f"cannot write {path}: {e.strerror or e}") from e
    except Exception as e:  # torch and safetensors have errors of their own for a full disk
        if not _WRITING.search(str(e)):
            raise
        raise RunError(f"cannot write {path}: the disk is full, or the file too large") from e
    finally:
        beside.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove temporary files whose process, on this machine, lives no more; no others."""
    for entry in os.scandir(folder):
        made = _PART.match(entry.name)
        if made and made["here"] == _here() and not _lives(int(made["process"])):
            with suppress(OSError):
                Path(entry.path).unlink()


@cache
def _here() -> str:
    """Where a process number means the same process: this machine, and this container of it."""
    numbers = Path("/proc/self/ns/pid")  # Linux
    space = str(numbers.readlink()) if numbers.is_symlink() else ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    if sys.platform == "win32":  # where to ask means to kill
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")


def write_json(path: Path, document: Any) -> None:
    write(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        RunError: absent, unreadable, or no JSON object.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as e:
        raise RunError(f"cannot read {path}: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:
        raise RunError(f"{path} is no JSON: {e}; it was changed by hand or damaged") from e
    if not isinstance(document, dict):
        raise RunError(f"{path}: expected a JSON object, found a {type(document).__name__}")
    return document


def slug(text: str) -> str:
    """A readable file name: ``pgd-at:eps=8/255`` -> ``pgd-at-eps=8_255``; long ones are cut."""
    name = re.sub(r"[^A-Za-z0-9=+._-]", "-", text.replace("/", "_"))
    if len(name) > 120:
        name = f"{name[:110]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return name


def digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
