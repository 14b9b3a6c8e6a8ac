"""What was done for a card, as far as a reader of results must know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.run import Run

NOISE, STEP, PGD, TRANSFER, WORST = "noise", "one step", "PGD", "transfer", "worst case"
CORRUPTIONS, PICTURES = "corruptions", "pictures"
"""Parts of the protocol; the last two are no attacks."""


@dataclass(frozen=True)
class Threat:
    """What an attacker may do; `why`: whose epsilon it is."""

    norm: str
    eps: Eps
    why: str


@dataclass(frozen=True)
class Part:
    """One job. `record`: what it wrote, or None, where `error` says why there is nothing.

    seconds: what it was expected to take.
    """

    role: str
    threat: Threat | None
    spec: str
    record: Path | None
    error: str
    seconds: float


@dataclass(frozen=True)
class Protocol:
    """How it was chosen. strength, checks: names of levels. n of `of` test images. minutes: the
    budget, if there was one. expected: seconds for this, and `whole` for the full protocol on all
    images. weaker: what is less than in the full protocol; left_out: what is missing, and why.
    """

    strength: str
    checks: str
    seed: int
    n: int
    of: int
    minutes: float | None
    threats: Sequence[Threat]
    source: Run | None
    expected: float
    whole: float
    weaker: Sequence[str]
    left_out: Sequence[str]
    command: str
