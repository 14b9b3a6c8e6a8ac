"""Worst case of a diverse set: each sample's union over attacks of one norm, cheapest first.

The habit of AutoAttack (Croce & Hein 2020, arXiv:2003.01690): a sample is robust only if it
withstands every member. Each sees what the earlier ones left:

    fgsm (fgm in L2), pgd of 10 steps, apgd-ce, apgd-t, fmn, square

With fewer than four classes, where the targeted ratio is not defined, pgd-margin stands for apgd-t.
`norm` chooses the set; norms are never mixed. Cost per epsilon for a sample that withstands all
of it: up to 11 + `steps` · (3 + `targets`) forwards and backwards, `queries` forwards, and some
forty. The result says which samples broke, not which member broke them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from foolbox.models.base import Model
from torch import Tensor

from robustbench_cli.evaluation.algorithms.restarts import until_broken
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.spec import build, param


@dataclass(kw_only=True)
class WorstCase(Attack):
    positional: ClassVar[str | None] = "norm"
    norm: Literal["linf", "l2"] = param("linf", "norm of every member")  # type: ignore[misc]

    steps: int = param(100, "gradient steps of apgd-ce, fmn, and apgd-t per target", low=1)
    targets: int = param(9, "classes that apgd-t aims at", low=1)
    queries: int = param(5000, "images that square shows per sample", low=1)

    def members(self, classes: int) -> list[Attack]:
        """In the order in which they run."""
        aimed = f"apgd-t:steps={self.steps},targets={self.targets}"
        texts = [
            "fgsm" if self.norm == "linf" else "fgm",
            "pgd:steps=10",
            f"apgd-ce:steps={self.steps}",
            aimed if classes >= 4 else f"pgd-margin:steps={self.steps}",
            f"fmn:steps={self.steps}",
            f"square:queries={self.queries}",
        ]
        return [build(Attack, f"{self.norm}-{text}") for text in texts]

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        assert eps is not None
        tries = self._tries(model, samples, eps)
        return until_broken(model, samples, eps, self.norm, tries)

    def _tries(self, model: Model, samples: Samples, eps: float) -> Iterator[partial[Tensor]]:
        with torch.no_grad():
            classes = model(samples.x[:1]).shape[1]
        for member in self.members(classes):
            yield partial(_run, member, model, eps)


def _run(member: Attack, model: Model, eps: float, samples: Samples) -> Tensor:
    return member.craft(model, samples, eps if member.budget else None).images
