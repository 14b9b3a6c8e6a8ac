"""What a user of the command line sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """An exit code and two streams."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error."""
        assert self.out == "" and self.err.count("\n") == 1, self
        assert self.err.startswith("Error: ")
        return self.err.strip()


Cli = Callable[..., Result]
