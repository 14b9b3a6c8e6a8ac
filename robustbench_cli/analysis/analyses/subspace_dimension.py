"""How many orthogonal directions are adversarial together: the dimension of the adversarial space.

Tramèr, Papernot, Goodfellow, Boneh and McDaniel, "The space of transferable adversarial examples",
arXiv:1704.03453 (gradient aligned adversarial subspace, GAAS). For each of the first `images` test
images that are classified correctly, and each k up to `most`: k orthonormal directions r of which
each has the inner product ‖g‖ / √k with the loss's gradient g, the most that k directions can have.
The dimension is the largest k for which at least the share `success` of the k points x + eps r is
misclassified (1: all). With norm=linf the directions are signs of the gradient, flipped by the rows
of regular Hadamard matrices, which exist for k = 1, 4, 16, 64, ... (Tramèr et al., ICLR 2018,
arXiv:1705.07204). Directions are a random complement of the gradient, not the first pixels, so
that the answer does not hang on the order of pixels. Nothing is clipped to [0, 1].

`to=RUN`: images are those that both networks classify correctly; `shared` is how many of the
dimension's directions also fool the other network, `angle` the one between the two gradients,
`transfer` the share of images on which the step along the gradient, where it fools this network,
fools the other, too. `random` is the share of `random` directions of the same length that are
adversarial: how large the space is to somebody who knows nothing.

Rows, one an image: index, label, dimension, fooled (by one step), random, gradient (its L2 norm),
and with `to` shared, angle, transferred. Cost per image: most (most + 1) / 2 forwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.gradients import loss_gradient
from robustbench_cli.analysis.radius import given, widest
from robustbench_cli.analysis.subspaces import basis, orders, signs, spread
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import Network
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class SubspaceDimension(Analysis):
    piece: ClassVar[int] = 8

    norm: Literal["l2", "linf"] = param("l2", "of a step")
    eps: float | None = param(
        None,
        "its length, in pixels; none: the end of the data set's usual sweep",
        low=0,
        unit="pixels",
    )
    images: int = param(50, "how many test images", low=1, high=10_000)
    most: int = param(32, "directions that are tried together", low=1, high=1024)
    success: float = param(1.0, "share of the directions that must be adversarial", low=0, high=1)
    random: int = param(100, "random directions", low=0, high=10_000)
    to: str | None = param(None, "run directory of a network to compare with")

    @property
    def other(self) -> str | None:
        return self.to

    def adapt(self, dataset: Dataset) -> None:
        self.eps = widest(dataset, self.norm) if self.eps is None else self.eps

    def choose(self, subject: Subject) -> Tensor:
        if subject.other is None:
            return subject.classified(self.images)
        found = subject.classified()
        answers = subject.logits(subject.test[found].x, subject.other).argmax(1)
        both = found[answers == subject.test.labels[found]][: self.images]
        if not len(both):
            raise UsageError(f"{self.name}: no test image is classified correctly by both networks")
        return both

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        image = subject.test[chosen]
        gradient = loss_gradient(subject.network, image.x, image.labels).flatten(1)
        length = gradient.double().norm(dim=1).cpu().numpy()
        dimension = np.zeros(len(chosen), dtype=np.int64)
        best: list[Tensor] = [gradient[:0]] * len(chosen)  # each image's largest set that succeeds
        step = torch.zeros_like(gradient)
        for k, directions in self.sets(gradient):
            tell(k / self.most, f"{k} directions")
            if k == 1:
                step = directions[:, 0]
            enough = self._fooled(subject, subject.network, image, directions).mean(1)
            for i in (enough >= self.success).nonzero()[0]:
                if length[i] > 0:
                    dimension[i], best[i] = k, directions[i]
        columns = {
            "index": chosen.cpu().numpy(),
            "label": image.labels.cpu().numpy(),
            "dimension": dimension,
            "fooled": self._fooled(subject, subject.network, image, step[:, None])[:, 0],
            "random": self._random(subject, image),
            "gradient": length,
        }
        if subject.other is not None:
            columns |= self._compared(subject, subject.other, image, gradient, best, step)
        return columns

    def sets(self, gradient: Tensor) -> Iterator[tuple[int, Tensor]]:
        """k, and (n, k, d): steps of length 1 in the norm, orthogonal to each other."""
        d = gradient.shape[1]
        most = min(self.most, d)
        if self.norm == "l2":
            rows = basis(gradient, most)
            yield from ((k, spread(rows, k)) for k in range(1, most + 1))
        else:
            order = torch.randperm(d).to(gradient.device)
            yield from ((k, signs(gradient, k, order)) for k in orders(most))

    def _fooled(
        self, subject: Subject, network: Network, image: Images, directions: Tensor
    ) -> np.ndarray:
        """(n, k) bool: whether the network misclassifies each step; directions (n, k, d)."""
        n, k = directions.shape[:2]
        x, labels = image.x, image.labels.repeat_interleave(k)
        steps = given(self.eps, self.name) * directions.view(n, k, *x.shape[1:])
        out = subject.logits((x[:, None] + steps).flatten(0, 1), network)
        return (out.argmax(1) != labels).view(n, k).cpu().numpy()

    def _random(self, subject: Subject, image: Images) -> np.ndarray:
        """(n,): the share of random directions that are adversarial; NaN if none was asked for."""
        n, d = len(image), prod(image.shape)
        if not self.random:
            return np.full(n, np.nan)
        drawn = torch.randn(n, self.random, d).to(image.device)
        unit = drawn.sign() if self.norm == "linf" else drawn / drawn.norm(dim=2, keepdim=True)
        return np.asarray(self._fooled(subject, subject.network, image, unit).mean(1))

    def _compared(
        self,
        subject: Subject,
        other: Network,
        image: Images,
        gradient: Tensor,
        best: list[Tensor],
        step: Tensor,
    ) -> dict[str, np.ndarray]:
        theirs = loss_gradient(other, image.x, image.labels).flatten(1)
        cosine = torch.cosine_similarity(gradient.double(), theirs.double(), dim=1)
        shared = []
        for i, directions in enumerate(best):
            here = image[i : i + 1]
            tried = len(directions) > 0
            shared.append(
                int(self._fooled(subject, other, here, directions[None]).sum()) if tried else 0
            )
        return {
            "shared": np.array(shared),
            "angle": cosine.clamp(-1, 1).arccos().rad2deg().cpu().numpy(),
            "transferred": self._fooled(subject, other, image, step[:, None])[:, 0],
        }

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        found = [
            Number("dimension", float(table["dimension"].mean()), "count"),
            Number("fooled by one step", float(table["fooled"].mean()), "share", len(table)),
            Number("random", float(table["random"].mean()), "share"),
        ]
        if "shared" in table:
            fooled = table[table["fooled"]]
            rate = float(fooled["transferred"].mean())
            found += [
                Number("shared", float(table["shared"].mean()), "count"),
                Number("angle", float(table["angle"].mean()), "degrees"),
                Number("transfer", rate, "share", len(fooled) or None),
            ]
        return found
