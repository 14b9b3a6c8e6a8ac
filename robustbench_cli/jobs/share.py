"""A share of many jobs: ``2/4`` is the second of four, for job arrays without a coordinator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from robustbench_cli.errors import UsageError

from .job import Job

AnyJob = TypeVar("AnyJob", bound=Job)


@dataclass(frozen=True)
class Share:
    """The `number`-th of `of` shares; all shares together are all jobs, each once.

    What is done to a run belongs to the share that trains the run: runs are dealt out in the order
    in which the jobs name them. A job of a list that names the same runs in the same order is in
    the same share everywhere, whatever is finished already.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Raises:
            UsageError: not K/N with 1 <= K <= N.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(
                f"--part {text}: expected K/N with K from 1 to N, as 1/4 to 4/4; "
                "a Slurm array for it is --array=1-4"
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def choose(self, jobs: Sequence[AnyJob]) -> list[AnyJob]:
        """Those of `jobs` that are in this share."""
        order = {path: i for i, path in enumerate(dict.fromkeys(job.home for job in jobs))}
        return [job for job in jobs if order[job.home] % self.of == self.number - 1]
