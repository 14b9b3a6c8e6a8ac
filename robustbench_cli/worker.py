"""What a process is told before its first job, on this machine or on another.

Imports nothing heavy: a worker watches its parent before it loads torch.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .spec import allow_code, allowed_code

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>: the signal for when the thread that started this ends
ORPHANED = 70  # exit code of a worker whose parent is gone; nobody is left to read it


@dataclass(frozen=True)
class Orders:
    """The same for all workers: what the parent has, and a fresh process lacks."""

    threads: int
    setup: Callable[[], None] | None = None
    allowed: tuple[str, ...] = field(default_factory=allowed_code)
    """Modules that the user vouched for."""
    folder: Path = field(default_factory=Path.cwd)
    """What relative paths are meant from; own code is looked for there, too."""

    def follow(self) -> None:
        import torch  # here, for the reason above

        if Path.cwd() != self.folder:
            os.chdir(self.folder)
        torch.set_num_threads(self.threads)
        for module in self.allowed:
            allow_code(module)
        if self.setup:
            self.setup()


boards: list[Any] = []
"""In a worker of a pool, its only one: this process writes on it, and its parent reads."""


def begin(visible: str, board: Any) -> None:
    """The first thing a worker of a pool does; `visible` is its CUDA_VISIBLE_DEVICES, if any."""
    end_with_parent()
    for each in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group: the parent decides
        signal.signal(each, signal.SIG_IGN)
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    boards.append(board)


def end_with_parent() -> None:
    """End this process as soon as its parent is gone, whatever ended that.

    Only the parent holds the other end of the pipe that is waited on, so the operating system
    closes it even after a SIGKILL.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        if sys.platform == "linux":  # at once, also where an import holds the interpreter's lock
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        threading.Thread(target=_wait_and_end, args=(parent.join,), daemon=True).start()


def _wait_and_end(parent_ends: Callable[[], None]) -> None:
    parent_ends()
    os._exit(ORPHANED)  # no clean-up: the main thread may be deep in a computation


_followed: list[Orders] = []


def follow_once(orders: Orders) -> None:
    """For workers that somebody else starts, and that take many jobs of one parent."""
    if not _followed:
        orders.follow()
        _followed.append(orders)
