"""The walk of Foolbox's BoundaryAttack, which samples leave when they have finished.

Every step is Foolbox's (`draw_proposals`, its rule for what is kept, its two success rates and
thresholds), with the same random numbers: on a network whose answers do not depend on the batch,
a sample goes through the very images of ``BoundaryAttack.run``. What differs: converged samples,
and those that have spent their queries, leave the batch; the success rates stay on the device,
and nothing is copied to the host but, every `LOOK` steps, who has converged. In Foolbox a sample
converges for good only where it is alone; in a batch it may start again until the others have
converged, too. Here it is as if each were alone.
"""

from __future__ import annotations

import eagerpy as ep
import torch
from eagerpy.astensor import astensor
from foolbox.attacks.boundary_attack import BoundaryAttack, draw_proposals
from foolbox.devutils import flatten
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples, claim

LOOK = 50
"""Steps between two looks for samples that have converged; until then they stand still."""


class BoundaryWalk:
    """One batch on its way. `run` is to be called once."""

    def __init__(
        self,
        tool: BoundaryAttack,
        model: Model,
        samples: Samples,
        starts: Tensor,
        allowances: Tensor | None = None,
    ) -> None:
        """
        Args:
            starts: adversarial images, (n, C, H, W).
            allowances: how many queries each sample may spend here, (n,); None: no limit.
        """
        n = len(samples)
        self._tool, self._model, self._samples = tool, model, samples
        self._images, self._best = starts.clone(), starts
        self._where = torch.arange(n, device=starts.device)  # the place of each lane in the batch
        self._norms = _norms(samples.x - starts)
        self._spherical = torch.full_like(self._norms, tool.spherical_step)
        self._source = torch.full_like(self._norms, tool.source_step)
        self._moving = torch.ones_like(self._where, dtype=torch.bool)  # has not converged
        self._spherical_rate = SuccessRate(100, n, starts.device)
        self._step_rate = SuccessRate(30, n, starts.device)
        self._allowances = None if allowances is None else allowances.cpu()
        self._used = 0  # queries of every lane that is still here

    def run(self) -> Tensor:
        """The nearest adversarial found for each sample, (n, C, H, W)."""
        for step in range(1, self._tool.steps + 1):
            self._dismiss(step)
            if not len(self._where):
                break
            self._step(step % self._tool.update_stats_every_k == 0)
        self._images[self._where] = self._best
        return self._images

    def _step(self, looks: bool) -> None:
        samples, away = self._samples, self._samples.x - self._best
        self._moving &= self._source >= self._tool.source_step_convergance
        candidates, spherical = self._propose(away)
        if looks:
            hit, spherical_hit = self._ask_both(candidates, spherical)
        else:
            hit = claim(self._model, samples, candidates)
            self._used += 1
        norms = _norms(samples.x - candidates)
        kept = hit & (norms < self._norms) & self._moving
        self._best = torch.where(kept[:, None, None, None], candidates, self._best)
        self._norms = torch.where(kept, norms, self._norms)
        if looks:
            self._spherical_rate.add(spherical_hit)
            self._step_rate.add(hit)
            self._adapt()

    def _propose(self, away: Tensor) -> tuple[Tensor, Tensor]:
        """Steps along the sphere and then towards the samples, and those along it alone."""
        directions = away / self._norms[:, None, None, None]
        given = (self._samples.x, self._best, away, directions)
        sizes = (self._norms, self._spherical, self._source)
        found = draw_proposals(self._model.bounds, *map(astensor, given), *map(astensor, sizes))
        return found[0].raw, found[1].raw

    def _ask_both(self, candidates: Tensor, spherical: Tensor) -> tuple[Tensor, Tensor]:
        """Which are adversarial, (n,) each, by one forward.

        A lane with one query left is asked for its candidate only: it leaves then, and its rates
        do not matter.
        """
        self._used += 1
        able = self._solvent()
        self._used += 1
        index: slice | Tensor = slice(None)
        if able is not None and not bool(able.all()):
            index = able.nonzero()[:, 0].to(spherical.device)
        with torch.no_grad():
            found = self._model(torch.cat([candidates, spherical[index]])).argmax(1)
        first = found[: len(candidates)]
        second = first.clone()
        second[index] = found[len(candidates) :]
        return self._samples.reached(first), self._samples.reached(second)

    def _adapt(self) -> None:
        """Foolbox's rules and numbers."""
        factor = self._tool.step_adaptation
        high, low = self._spherical_rate.outside(0.2, 0.5)
        self._spherical = _scaled(self._spherical, high, low, factor)
        self._source = _scaled(self._source, high, low, factor)
        high, low = self._step_rate.outside(0.1, 0.25)
        self._source = _scaled(self._source, high, low, factor)

    def _solvent(self) -> Tensor | None:
        """Who has a query left, (n,), on the host; None: everybody, for there is no limit."""
        return None if self._allowances is None else self._allowances > self._used

    def _dismiss(self, step: int) -> None:
        """Let those leave that have converged or have no query left."""
        going = self._solvent()
        if step % LOOK == 0:
            moving = self._moving.cpu()
            going = moving if going is None else going & moving
        if going is None or bool(going.all()):
            return
        index = going.nonzero()[:, 0]
        self._images[self._where] = self._best
        if self._allowances is not None:
            self._allowances = self._allowances[index]
        index = index.to(self._where.device)
        self._samples, self._where = self._samples[index], self._where[index]
        self._best, self._norms = self._best[index], self._norms[index]
        self._moving = self._moving[index]
        self._spherical, self._source = self._spherical[index], self._source[index]
        self._spherical_rate.keep(index)
        self._step_rate.keep(index)


class SuccessRate:
    """Of the last `size` outcomes of each of `n` lanes, on their device."""

    def __init__(self, size: int, n: int, device: torch.device) -> None:
        self._outcomes = torch.zeros(size, n, device=device)
        self._seen = torch.zeros(n, dtype=torch.long, device=device)  # since it was last outside
        self._next = 0

    def add(self, hit: Tensor) -> None:
        self._outcomes[self._next] = hit.to(self._outcomes)
        self._next = (self._next + 1) % len(self._outcomes)
        self._seen += 1

    def outside(self, low: float, high: float) -> tuple[Tensor, Tensor]:
        """Whose rate is above `high`, and whose below `low`, (n,) each; both count anew.

        A lane that has not seen `size` outcomes yet is in neither.
        """
        full = self._seen >= len(self._outcomes)
        rate = self._outcomes.sum(0) / len(self._outcomes)
        above, below = full & (rate > high), full & (rate < low)
        self._seen = self._seen.masked_fill(above | below, 0)
        return above, below

    def keep(self, index: Tensor) -> None:
        self._outcomes, self._seen = self._outcomes[:, index], self._seen[index]


def _norms(x: Tensor) -> Tensor:
    """(n,), as Foolbox computes them: the last digit decides what is nearer."""
    found: Tensor = ep.norms.l2(flatten(astensor(x)), axis=-1).raw
    return found


def _scaled(x: Tensor, up: Tensor, down: Tensor, factor: float) -> Tensor:
    return torch.where(up, x * factor, torch.where(down, x / factor, x))
