"""Square attack: random search with square patches, led by the margin between the logits.

Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box adversarial attack via
random search", arXiv:1912.00049. Needs no gradient, so masked gradients do not stop it. A proposal
changes one square of the image and is kept if the label's lead over the best other class shrinks.
The area of the square is a share p of the image, `p-init` at first and halved on the paper's
schedule, stretched to the number of queries.
With `patience`, a sample is given up, whenever the number of queries has doubled, where its label
would still lead at the end if every further doubling took `patience` times what one takes at its
pace. That is the faster of two, of the last doubling and of all since the first image: a search
that is nearly there often finds nothing for a while, and one far off slows down early.
Cost per restart and epsilon: up to `queries` forwards (a sample leaves with its first adversarial),
and one; no backward. Restarts see only what the earlier ones left, or with `near` only what nearly
broke, all restarts at once: what a ball larger by that share would break, if the label's lead went
on falling with the radius as it fell up to there.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import log2, sqrt
from typing import ClassVar, Literal

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.spec import param

from .losses import margin
from .restarts import NEAR, Again, until_broken

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries


@dataclass(kw_only=True)
class SquareSearch(Attack):
    """What both norms share. A sample leaves the batch with its first adversarial."""

    access: ClassVar[Literal["scores"]] = "scores"
    smallest: ClassVar[int] = 1  # side of a square, in pixels

    queries: int = param(5000, "images shown to the network per sample", low=1)
    p_init: float = param(0.8, "share of the image that the first squares cover", low=0, high=1)
    restarts: int = param(1, "searches, each for what the earlier ones left", low=1)
    near: float | None = param(None, NEAR, low=0)
    patience: float | None = param(
        None, "give up what would not break at so many times its pace; none: never", low=0
    )

    def start(self, x: Tensor, eps: float) -> Tensor:
        """The first images (n, C, H, W)."""
        raise NotImplementedError

    def propose(self, x: Tensor, images: Tensor, eps: float, side: int) -> Tensor:
        """`images` with another square each."""
        raise NotImplementedError

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        assert eps is not None
        radius = eps

        def search(part: Samples, *_: Tensor) -> Tensor:
            return self._search(model, part, radius)

        tries, again = [search] * self.restarts, None
        if self.near is not None:
            tries, again = [search], Again(self.near, self.restarts - 1, search)
        return until_broken(model, samples, radius, self.norm, tries, again)

    @torch.no_grad()
    def _search(self, model: Model, samples: Samples, eps: float) -> Tensor:
        x, labels = samples.x, samples.labels
        where = torch.arange(len(x), device=x.device)
        best = self.start(x, eps)
        final, lead = best.clone(), -margin(model(best), labels)
        first, before, marks = lead, lead, doublings(self.queries)
        for query in range(1, self.queries + 1):
            leaves = lead < 0
            if self.patience is not None and query in marks:
                if query > marks[0]:
                    pace = torch.maximum(before - lead, (first - lead) / log2(query))
                    leaves |= lead > self.patience * log2(self.queries / query) * pace
                before = lead
            if len(gone := leaves.nonzero()[:, 0]):
                final[where[gone]], left = best[gone], (~leaves).nonzero()[:, 0]
                kept = (each[left] for each in (x, labels, where, best, lead, first, before))
                x, labels, where, best, lead, first, before = kept
            if not len(where) or query == self.queries:
                break
            share = self.p_init / 2 ** share_halvings(query, self.queries)
            tried = self.propose(x, best, eps, self._side(share, x.shape[2], x.shape[3]))
            reached = -margin(model(tried), labels)
            better = reached < lead
            best = torch.where(better[:, None, None, None], tried, best)
            lead = torch.where(better, reached, lead)
        final[where] = best
        return final

    def _side(self, share: float, height: int, width: int) -> int:
        side = max(round(sqrt(share * height * width)), self.smallest)
        return min(side, height, width)


def doublings(queries: int) -> list[int]:
    """When a search looks back: after 200 queries, 400, 800, and so on, before its end."""
    return [200 * 2**k for k in range(64) if 200 * 2**k < queries]


def share_halvings(query: int, queries: int) -> int:
    """How often p has been halved by then."""
    return bisect_left(_HALVINGS, query * 10000 // queries)
