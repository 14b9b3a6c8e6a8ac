"""Square attack: random search with square patches, led by the margin between the logits.

Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box adversarial attack via
random search", arXiv:1912.00049. Needs no gradient, so masked gradients do not stop it. A proposal
changes one square of the image and is kept if the label's lead over the best other class shrinks.
The area of the square is a share p of the image, `p-init` at first and halved on the paper's
schedule, stretched to the number of queries.
With `patience`, a sample is given up, whenever the number of queries has doubled, where its label
would still lead at the end if every further doubling took `patience` times what one takes at its
pace. That is the faster of two, of the last doubling and of all since the first image: a search
that is nearly there often finds nothing for a while, and one far off slows down early. The first
time, after 200 queries, when some have hardly begun, `patience` counts half as much again.
With `together`, the batch stays as large as that where fewer samples are left: each shows several
proposals at once and keeps the best, so many that two such steps will find one improvement. With
more of them too many would be lost; a step with a few images costs nearly as much as one with many.
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
from robustbench_cli.evaluation.mixing import Held, Mixing, Turns
from robustbench_cli.spec import param

from .geometry import Radius
from .losses import margin
from .restarts import NEAR

_TINY = 1e-12
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries

_AT_FIRST = 1.5
"""So many times the patience, when it is asked for the first time."""

_IMPROVEMENTS = 0.5
"""To expect of the proposals that are shown at once."""

_COUNTED = 50
"""Proposals, from one count of improvements to the next."""


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
    together: int | None = param(
        None, "images at once, several of a sample where few are left; none: one of each", low=1
    )

    def start(self, x: Tensor, eps: Radius, chance: Chance) -> Tensor:
        """The first images (n, C, H, W)."""
        raise NotImplementedError

    def propose(self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance) -> Tensor:
        """`images` with another square each."""
        raise NotImplementedError

    def propose_several(
        self, x: Tensor, images: Tensor, eps: Radius, side: int, chance: Chance, times: int
    ) -> Tensor:
        """(times · n, C, H, W): `times` proposals, one after the other."""
        return torch.cat([self.propose(x, images, eps, side, chance) for _ in range(times)])

    def aims_of(self, model: Model, samples: Samples) -> Tensor:
        return samples.labels[:, None].expand(-1, self.starts)

    @property
    def starts(self) -> int:
        return self.restarts if self.near is None else 1

    def rounds(self, tries: int) -> Turns:
        found = super().rounds(tries)
        if self.near is not None and self.restarts > 1:
            found.append(([0] * (self.restarts - 1), self.near))
        return found

    @property
    def alone(self) -> bool:
        return self.near is None and self.together is None

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
            improved=unknown,
        )

    @torch.no_grad()
    def go_on(self, model: Model, held: Any, first: int, last: int) -> Tensor:
        now: Search = held
        images, marks, query = now.x.clone(), doublings(self.queries), first
        while query < last and len(now.where):
            if query:
                stop = next((mark for mark in marks if mark > query), last)
                query += self._try_others(model, now, query, min(stop, last) - query)
            else:
                now.lead = now.first = now.before = -margin(model(now.best), now.labels)
                query = 1
            leaves = now.lead < 0
            if self.patience is not None and query in marks:
                if query > marks[0]:
                    whole = (now.first - now.lead) / log2(query)
                    pace = torch.maximum(now.before - now.lead, whole)
                    patience = self.patience * (_AT_FIRST if query == marks[1] else 1)
                    leaves |= now.lead > patience * log2(self.queries / query) * pace
                now.before = now.lead
            now.leave(images, leaves, now.best)
        images[now.where] = now.best
        return images

    def _try_others(self, model: Model, now: Search, query: int, most: int) -> int:
        """Show one more image of each sample, or several, `most` at most; how many."""
        share = self.p_init / 2 ** share_halvings(query, self.queries)
        side = self._side(share, now.x.shape[2], now.x.shape[3])
        room = 1 if self.together is None else self.together // len(now.where)
        if room < 2:
            tried = self.propose(now.x, now.best, now.radius, side, now.chance)
            lead = -margin(model(tried), now.labels)
            shown = 1
        else:
            shown = min(now.times(room), most)
            tried, lead = self._best_of(model, now, side, shown)
        better = lead < now.lead
        now.best = torch.where(better[:, None, None, None], tried, now.best)
        now.lead = torch.where(better, lead, now.lead)
        return shown

    def _best_of(self, model: Model, now: Search, side: int, shown: int) -> tuple[Tensor, Tensor]:
        """Of `shown` proposals each the one where the label leads least, and its lead."""
        n = len(now.where)
        tried = self.propose_several(now.x, now.best, now.radius, side, now.chance, shown)
        leads = -margin(model(tried), now.labels.repeat(shown)).view(shown, n)
        now.shown, now.improved = now.shown + shown, now.improved + (leads < now.lead).sum(0)
        lead, which = leads.min(0)
        return tried[which * n + torch.arange(n, device=which.device)], lead

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
    improved: Tensor  # proposals that were better, of those `shown` where there was room
    shown: int = 0
    useful: int = 1  # proposals at once

    def times(self, room: int) -> int:
        """How many proposals at once; `room` at most. The host waits once in `_COUNTED` of them."""
        if self.shown >= _COUNTED:
            share = float(self.improved.mean()) / self.shown
            self.useful = max(int(_IMPROVEMENTS / max(share, _TINY)), 1)
            self.shown, self.improved = 0, torch.zeros_like(self.improved)
        return min(room, self.useful)


def doublings(queries: int) -> list[int]:
    """When a search looks back: after 100 queries, 200, 400, and so on, before its end."""
    return [100 * 2**k for k in range(64) if 100 * 2**k < queries]


def share_halvings(query: int, queries: int) -> int:
    """How often p has been halved by then."""
    return bisect_left(_HALVINGS, query * 10000 // queries)
