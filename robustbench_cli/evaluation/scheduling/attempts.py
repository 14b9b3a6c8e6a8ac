"""One batch at one epsilon: crafted, verified, and by whom it was broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from robustbench_cli.evaluation.algorithms.square import SquareSearch
from robustbench_cli.evaluation.attack import Crafted, Samples
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import Outcome
from robustbench_cli.evaluation.verification.verify import Verdict, verify


class Attempt(NamedTuple):
    """One batch at one epsilon, crafted and checked."""

    row: int  # of the epsilons
    where: np.ndarray  # positions in the chunk
    failed: dict[int, str]
    verdict: Verdict
    member: str = ""  # of a union, that broke them

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Position in the chunk, and what came of it."""
        found = outcomes_of(self.verdict, self.failed, self.member)
        yield from zip(self.where.tolist(), found, strict=True)

    def only(self, chosen: np.ndarray, member: str) -> Attempt:
        """The samples that are `chosen`, (n,) bool."""
        verdict, places = self.verdict, {int(i): k for k, i in enumerate(chosen.nonzero()[0])}
        part = Verdict(
            verdict.adversarial[chosen],
            verdict.prediction[chosen],
            verdict.distance[chosen],
            {places[i]: why for i, why in verdict.rejected.items() if i in places},
        )
        failed = {places[i]: why for i, why in self.failed.items() if i in places}
        return self._replace(where=self.where[chosen], failed=failed, verdict=part, member=member)


def outcomes_of(verdict: Verdict, failed: Mapping[int, str], member: str = "") -> Iterator[Outcome]:
    """One for each sample of the batch."""
    for i in range(len(verdict.adversarial)):
        yield Outcome(
            bool(verdict.adversarial[i]),
            int(verdict.prediction[i]),
            float(verdict.distance[i]),
            rejected=verdict.rejected.get(i, ""),
            failed=failed.get(i, ""),
            member=member,
        )


def attempts(chunk: Chunk, todo: Tensor, rows: Sequence[int]) -> Iterator[Attempt]:
    """Craft and verify the samples at `todo`, batch by batch; row -1 stands for no epsilon."""

    def work(part: slice) -> list[Attempt]:
        where = todo[part]
        batch = chunk.samples[where]
        found = []
        for row, eps, crafted in chunk.craft(batch, part.start, rows):
            verdict = judged(chunk, batch, crafted, eps)
            found.append(Attempt(row, where.cpu().numpy(), crafted.failed, verdict))
        return found

    batches, attack = chunk.plan.batches, chunk.plan.attack
    if isinstance(attack, SquareSearch) and attack.patience is not None:
        batches = batches.wider()
    for found in batches.map(len(todo), work):
        yield from found


def judged(chunk: Chunk, batch: Samples, crafted: Crafted, eps: float | Tensor | None) -> Verdict:
    """What the network says of crafted images, whoever saw them before; `eps` as in `verify`."""
    verdict = verify(
        chunk.network,
        batch,
        crafted.images,
        norm=chunk.plan.attack.norm,
        eps=eps,
        claimed=crafted.claimed,
    )
    return verdict if chunk.exact else _pardoned(verdict)


def _pardoned(verdict: Verdict) -> Verdict:
    """A sound image that only the copy took for adversarial is no news."""
    kept = {i: why for i, why in verdict.rejected.items() if verdict.prediction[i] < 0}
    return replace(verdict, rejected=kept)
