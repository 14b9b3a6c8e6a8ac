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
from typing import Any, ClassVar, Literal

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.chance import Chance
from robustbench_cli.evaluation.mixing import Held, Mixing
from robustbench_cli.spec import param

from .geometry import Radius
from .losses import margin
from .restarts import NEAR

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries


@dataclass(kw_only=True)
class SquareSearch(Mixing):
    """What both norms share. A sample leaves the batch with its first adversarial."""

    access: ClassVar[Literal["scores"]] = "scores"
    pauses: ClassVar[tuple[float, ...]] = (0.02, 0.1, 0.4)
    smallest: ClassVar[int] = 1  # side of a square, in pixels

    queries: int = param(5000, "images shown to the network per sample", low=1)
    p_init: float = param(0.8, "share of the image that the first squares cover", low=0, high=1)
    restarts: int = param(1, "searches, each for what the earlier ones left", low=1)
    near: float | None = param(None, NEAR, low=0)
    patience: float | None = param(
        None, "give up what would not break at so many times its pace; none: never", low=0
    )

    def start(self, x: Tensor, eps: Radius, chance: Chance) -> Tensor:
        """The first images (n, C, H, W)."""
        raise NotImplementedError

    def propose(self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance) -> Tensor:
        """`images` with another square each."""
        raise NotImplementedError

    def aims_of(self, model: Model, samples: Samples) -> Tensor:
        return samples.labels[:, None].expand(-1, self.restarts if self.near is None else 1)

    @property
    def more(self) -> tuple[float, int] | None:
        return None if self.near is None else (self.near, self.restarts - 1)

    @property
    def length(self) -> int:
        return self.queries

    def begin(self, samples: Samples, aims: Tensor, eps: Radius) -> Any:
        x, unknown = samples.x, torch.zeros(len(samples), device=samples.x.device)
        return Search(
            where=torch.arange(len(x), device=x.device),
            x=x,
            labels=samples.labels,
            radius=eps,
            chance=samples.chance,
            best=self.start(x, eps, samples.chance),
            lead=unknown,
            first=unknown,
            before=unknown,
        )

    @torch.no_grad()
    def go_on(self, model: Model, held: Any, first: int, last: int) -> Tensor:
        now: Search = held
        images, marks = now.x.clone(), doublings(self.queries)
        for done in range(first, last):
            if done:
                self._try_another(model, now, done)
            else:
                now.lead = now.first = now.before = -margin(model(now.best), now.labels)
            leaves, query = now.lead < 0, done + 1
            if self.patience is not None and query in marks:
                if query > marks[0]:
                    whole = (now.first - now.lead) / log2(query)
                    pace = torch.maximum(now.before - now.lead, whole)
                    leaves |= now.lead > self.patience * log2(self.queries / query) * pace
                now.before = now.lead
            now.leave(images, leaves, now.best)
            if not len(now.where):
                break
        images[now.where] = now.best
        return images

    def _try_another(self, model: Model, now: Search, query: int) -> None:
        share = self.p_init / 2 ** share_halvings(query, self.queries)
        side = self._side(share, now.x.shape[2], now.x.shape[3])
        tried = self.propose(now.x, now.best, now.radius, side, now.chance)
        reached = -margin(model(tried), now.labels)
        better = reached < now.lead
        now.best = torch.where(better[:, None, None, None], tried, now.best)
        now.lead = torch.where(better, reached, now.lead)

    def _side(self, share: float, height: int, width: int) -> int:
        side = max(round(sqrt(share * height * width)), self.smallest)
        return min(side, height, width)


@dataclass
class Search(Held):
    """What still stands, (n, ...) each."""

    x: Tensor
    labels: Tensor
    radius: Radius
    chance: Chance
    best: Tensor
    lead: Tensor  # by which the label leads the next class
    first: Tensor  # the lead at the first look
    before: Tensor  # that when the search looked back


def doublings(queries: int) -> list[int]:
    """When a search looks back: after 200 queries, 400, 800, and so on, before its end."""
    return [200 * 2**k for k in range(64) if 200 * 2**k < queries]


def share_halvings(query: int, queries: int) -> int:
    """How often p has been halved by then."""
    return bisect_left(_HALVINGS, query * 10000 // queries)
