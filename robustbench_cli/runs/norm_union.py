"""A union over norms: a sample withstands it only if it withstands every ball, each in its norm.

Nothing is attacked for it. It follows, sample by sample, from one evaluation for each ball, of the
same network on the same images (Tramèr & Boneh 2019, arXiv:1904.13000). Lower than each of its
parts by its nature, it is to be compared with nothing but the same union.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple, Self

import pandas as pd

from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.errors import UsageError

from .evaluation import Evaluation

NAME = "union"
_NORMS = ("linf", "l2", "l1", "l0")
_EXAMPLE = "linf=8/255,l2=0.5"
_SAME = ("weights", "data", "view", "defence", "eight_bit")
"""Of an identity, what all parts of a union must have in common."""


class Ball(NamedTuple):
    """What one part of a union is: an attack in its norm, and the radius of its ball."""

    written: str  # a norm, or an attack
    eps: Eps

    @property
    def attack(self) -> str:
        """Of a norm, its worst case."""
        return f"worst-case:{self.written}" if self.written in _NORMS else self.written

    def __str__(self) -> str:
        return f"{self.written}={self.eps}"


@dataclass(frozen=True)
class NormUnion:
    """At least two balls, as they were written."""

    balls: tuple[Ball, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.balls))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """``linf=8/255,l2=0.5``; an attack may stand for a norm, one with parameters alone.

        Raises:
            UsageError: anything else, fewer than two balls, or one that is there twice.
        """
        texts = list(texts)
        parts = [part for text in texts for part in ([text] if ":" in text else text.split(","))]
        balls = tuple(_ball(part.strip()) for part in parts if part.strip())
        if len(balls) < 2:
            raise UsageError(
                f"a union over norms needs a radius for each of two norms or more; "
                f"type: -a {NAME} -e {_EXAMPLE}"
            )
        names = [ball.written for ball in balls]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"{name} stands twice in {','.join(parts)}; one radius for each")
        return cls(balls)

    def refuse_alike(self, norms: Sequence[str]) -> None:
        """
        Raises:
            UsageError: two of the norms of its balls are one: a worst case, and no union of norms.
        """
        for norm in norms:
            if norms.count(norm) > 1:
                raise UsageError(f"{self}: two balls of {norm}; a union is over different norms")


def _ball(text: str) -> Ball:
    name, equals, radius = (part.strip() for part in text.rpartition("="))
    if not equals or not name or not radius:
        raise UsageError(f"{text!r} is no norm and radius; write them like {_EXAMPLE}")
    return Ball(name, Eps.parse(radius))


def asked_for(attacks: Sequence[str], epsilons: Iterable[str]) -> tuple[NormUnion, ...]:
    """The union, if the attacks name one; its balls stand among the texts of epsilons.

    Raises:
        UsageError: a union without balls, or balls without a union.
    """
    balls = [text for text in epsilons if "=" in text]
    if NAME in attacks:
        return (NormUnion.parse(balls),)
    if balls:
        raise UsageError(f"{balls[0]}: radii of norms are for a union of them; type -a {NAME}, too")
    return ()


def attacks_of(
    attacks: Sequence[str],
    epsilons: Iterable[str],
    ranges: Iterable[str],
    unions: Sequence[NormUnion],
) -> list[tuple[str, tuple[Eps, ...]]]:
    """Every attack to be made, with its epsilons: of a union, one for each ball.

    Raises:
        UsageError: epsilons of no attack.
    """
    texts, ranges = [t for t in epsilons if not unions or "=" not in t], list(ranges)
    others = [text for text in attacks if text != NAME or not unions]
    if (texts or ranges) and not others:
        raise UsageError(
            f"{(*texts, *ranges)[0]}: of which norm? a union takes one radius for each, {_EXAMPLE}"
        )
    balls = [(ball.attack, (ball.eps,)) for union in unions for ball in union.balls]
    return [*((text, grid(texts, ranges)) for text in others), *balls]


@dataclass(frozen=True)
class Joined:
    """One network under a union; `parts` go with its balls."""

    union: NormUnion
    parts: tuple[Evaluation, ...]

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """Index: sample; a column for each ball: True where still classified right."""
        balls = self.union.balls
        columns = [
            part.correct()[next(e.text for e in part.epsilons if e == ball.eps)]
            for ball, part in zip(balls, self.parts, strict=True)
        ]
        return pd.concat(columns, axis=1, keys=range(len(balls)))

    @property
    def n(self) -> int:
        return self.parts[0].n

    @property
    def clean(self) -> int:
        """How many are right when unchanged."""
        return self.parts[0].tally.clean

    @property
    def right(self) -> int:
        """How many withstand every ball."""
        return int(self.outcomes.all(axis=1).sum())

    @property
    def alone(self) -> tuple[int, ...]:
        """Ball by ball: the samples, right when unchanged, that no other ball breaks."""
        broken = ~self.outcomes
        once = broken[(broken.sum(axis=1) == 1) & self._unchanged]
        return tuple(int(once[column].sum()) for column in broken)

    @property
    def several(self) -> int:
        """The samples, right when unchanged, that more than one ball breaks."""
        return self.clean - self.right - sum(self.alone)

    @property
    def _unchanged(self) -> pd.Series:
        rows = self.parts[0].samples.drop_duplicates("index").set_index("index")
        return rows["clean"] == rows["label"]


def join(union: NormUnion, evaluations: Sequence[Evaluation]) -> Iterator[Joined]:
    """One for each view and defence of a network that was attacked in every ball; of several, that
    of the most images.

    Raises:
        UsageError: a part that is no untargeted attack, two of one norm, or a name that stands for
            several attacks.
    """
    found: dict[object, list[tuple[Evaluation, ...]]] = {}
    for parts in product(*(_candidates(ball, evaluations) for ball in union.balls)):
        identities = [part.record.get("identity", {}) for part in parts]
        common = [tuple(str(i.get(key)) for key in _SAME) for i in identities]
        if len(set(common)) == 1 and len({part.tally.images for part in parts}) == 1:
            where = tuple(str(identities[0].get(key)) for key in ("view", "defence"))
            found.setdefault(where, []).append(parts)
    for listed in found.values():
        union.refuse_alike([part.norm for part in listed[0]])
        yield Joined(union, max(listed, key=lambda parts: parts[0].n))


def _candidates(ball: Ball, evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    here = [e for e in evaluations if ball.eps in e.epsilons]
    found = [e for e in here if e.attack == ball.attack]
    found = found or [e for e in here if e.attack.partition(":")[0] == ball.attack]
    if len(attacks := dict.fromkeys(e.attack for e in found)) > 1:
        raise UsageError(f"{ball.written} stands for {' and '.join(attacks)}; write one of them")
    for each in found:
        if each.tally.targeted or each.record.get("kind") == "certified":
            raise UsageError(f"{each.attack} does not only want a mistake, as a union's parts do")
    return found
