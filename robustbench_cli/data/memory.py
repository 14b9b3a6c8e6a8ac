"""How much of a data set may be held in memory, here and on a device."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from robustbench_cli.errors import UsageError

VARIABLE = "ROBUSTMIX_HOLD"
"""Bytes that a part of a data set may fill before it is read in parts: 0, 500M, 8G."""
_SHARE = 3  # a set is copied once while it is divided, and others need memory, too
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_CGROUP = Path("/sys/fs/cgroup")


def fits_memory(size: int) -> bool:
    """Whether so many bytes may be held; a third of the memory that is left, or as asked.

    Raises:
        UsageError: :data:`VARIABLE` is no number of bytes.
    """
    asked = os.environ.get(VARIABLE)
    if asked is None:
        return size <= _available() // _SHARE
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)(i?B)?", asked.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"{VARIABLE}={asked} is no number of bytes; write 0, 500M or 8G")
    return size <= int(found[1]) * _UNITS[found[2].upper()]


def fits_device(pixels: Tensor, device: torch.device) -> bool:
    """Whether a GPU has room for them and as much again for a network; here, they are already."""
    if device.type != "cuda" or pixels.device == device:
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.numel() * pixels.element_size() <= free // 2


def _available() -> int:
    """Bytes that nobody uses, of the machine and of the container; many where nobody says."""
    found = [2**62]
    with suppress(OSError, AttributeError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found.append(1024 * int(text.partition("MemAvailable:")[2].split()[0]))
    with suppress(OSError, ValueError):
        most = int((_CGROUP / "memory.max").read_text(encoding="ascii"))  # or the word max
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        found.append(max(0, most - used))
    if len(found) == 1:
        with suppress(OSError, AttributeError, ValueError):
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    return min(found)
