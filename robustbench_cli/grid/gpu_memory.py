"""What jobs take of a GPU's memory, and which of them fit on it side by side.

Nothing is guessed: the first job of a kind is measured while it runs, and others of its kind need
what it took. What is free is what the driver says, so other programs' memory counts.
"""

from __future__ import annotations

import gc
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

MARGIN = 2**29
"""Bytes left free beside what a job was seen to take: a process holds more than PyTorch counts,
kernels above all, which CUDA loads when they are first used."""


class Meter(Protocol):
    """Reads the memory of the first GPU that this process sees; tests bring their own."""

    def free(self) -> int:
        """Bytes that no process holds. Starts CUDA: what that takes is no longer free."""
        ...

    def taken(self) -> tuple[int, int]:
        """Bytes that this process holds now, and at most since it last rested."""
        ...

    def rest(self) -> None:
        """Give back what no tensor needs."""
        ...


@dataclass(frozen=True)
class Cuda:
    """The meter of CUDA; only `free` starts it in a process that has not used it."""

    def free(self) -> int:
        return torch.cuda.mem_get_info()[0]

    def taken(self) -> tuple[int, int]:
        if not _started():
            return 0, 0
        return torch.cuda.memory_reserved(), torch.cuda.max_memory_reserved()

    def rest(self) -> None:
        gc.collect()  # the frames of a job that failed may be a circle
        if _started():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def _started() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@dataclass
class Tenant:
    """A job that is on a GPU."""

    kind: Hashable
    measured: bool = False  # nobody knows yet what its kind takes
    whole: bool = False  # it has done everything once, and so holds what it needs
    held: int = 0  # bytes, as far as is known


class Ledger:
    """What jobs of each kind were seen to take, and so who may join whom."""

    def __init__(self) -> None:
        self._most: dict[Hashable, int] = {}
        self._known: set[Hashable] = set()  # of these, that is what they need
        self._alone: set[Hashable] = set()  # of these it was more than others left

    def need(self, kind: Hashable) -> int | None:
        """Bytes that a job of this kind takes at most; None where that must be measured first."""
        return self._most[kind] if kind in self._known else None

    def saw(self, tenant: Tenant, held: int, most: int, *, whole: bool) -> bool:
        """`tenant` holds so many bytes, and at most held so many until now.

        Returns whether its kind is known by that.
        """
        tenant.held, tenant.whole = held, whole
        self._most[tenant.kind] = max(most, self._most.get(tenant.kind, 0))
        if not (whole and tenant.measured):
            return False
        tenant.measured = False
        self._known.add(tenant.kind)
        self._alone.discard(tenant.kind)
        return True

    def ran_out(self, tenant: Tenant) -> None:
        """The memory that others left was too little: the next of its kind is measured alone."""
        self._known.discard(tenant.kind)
        self._alone.add(tenant.kind)

    def fits(self, kind: Hashable, room: int, beside: Sequence[Tenant]) -> bool:
        """Whether a job may join those on a GPU, of which it could have `room` bytes just now.

        Where there is nobody it always may. A kind that is not known waits until all others hold
        what they need, of which it could take some, and there is room for the largest need that is
        known.
        """
        if not beside:
            return True
        if measuring(beside) or kind in self._alone:
            return False
        need = self.need(kind)
        if need is None:
            if not all(each.whole for each in beside):
                return False
            need = max((self._most[each] for each in self._known), default=0)
        return room - self.promised(beside) >= need + MARGIN

    def promised(self, tenants: Sequence[Tenant]) -> int:
        """Bytes that `tenants` will take, and have not taken yet."""
        return sum(max(0, self._most.get(each.kind, 0) - each.held) for each in tenants)


def measuring(tenants: Sequence[Tenant]) -> bool:
    """Whether one of them may take more than anybody knows."""
    return any(each.measured for each in tenants)


def gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
