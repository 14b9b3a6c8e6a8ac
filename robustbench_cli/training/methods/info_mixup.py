"""A variational bottleneck that mixes only unusual codes, towards the nearest other class.

A. H. Meyer, "InfoMixup", MSc thesis, RIT 2022 (no public code). On top of `vib`, each class c keeps
a diagonal Gaussian (m_c, v_c) of its codes. A sample whose squared Mahalanobis distance from its
own class exceeds the χ²_K quantile p is an edge sample; its code u becomes λu + (1-λ)m_c*, and its
label λy + (1-λ)onehot(c*), c* the nearest other class, λ ~ Beta(α, α).
Where the thesis is ambiguous: the distance is squared, as the quantile demands; it is taken from
μ(x) and u is mixed; statistics are those of the whole previous epoch (none is mixed in the first),
merged as moments, with v the variance of μ plus the mean of σ²; λ is one per batch. The share of
edge samples is logged to history.csv as `edge`.
Cost per step: 1 forward, 1 backward, a small head and five matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from scipy.stats import chi2
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Forward
from robustbench_cli.training.draws import share
from robustbench_cli.training.layers import Bottleneck
from robustbench_cli.training.method import Method


class ClassBottleneck(Bottleneck):
    """A bottleneck that knows where each class's codes lie.

    Statistics are buffers: checkpoints hold them, and no attack can touch them.
    """

    means: Tensor  # (classes, K), of the previous epoch
    precisions: Tensor  # (classes, K), 1 / variance; all 0 before the first epoch has ended
    known: Tensor  # (classes,), 1 where the previous epoch saw the class
    sums: Tensor  # (classes, K), of μ, this epoch
    squares: Tensor  # (classes, K), of μ² + σ²
    counts: Tensor  # (classes,)
    edges: Tensor  # (), edge samples this epoch

    def __init__(self, head: nn.Linear, size: int, beta: float, alpha: float, p: float) -> None:
        super().__init__(head, size, beta)
        self.alpha, self.threshold = alpha, float(chi2.ppf(p, size))
        for name in ("means", "precisions", "sums", "squares"):
            self.register_buffer(name, torch.zeros(head.out_features, size))
        for name in ("known", "counts"):
            self.register_buffer(name, torch.zeros(head.out_features))
        self.register_buffer("edges", torch.zeros(()))
        self.to(head.weight.device)

    def train_code(self, forward: Forward, mean: Tensor, std: Tensor, code: Tensor) -> Tensor:
        y = forward.batch.y
        with torch.no_grad():
            self.counts += y.sum(0)
            self.sums += y.T @ mean
            self.squares += y.T @ (mean**2 + std**2)
            distance = self.distances(mean)
            own = y.argmax(1, keepdim=True)
            rivals = distance.masked_fill(self.known == 0, torch.inf)
            nearest, rival = rivals.scatter(1, own, torch.inf).min(1, keepdim=True)
            edge = (distance.gather(1, own) > self.threshold) & nearest.isfinite()
            self.edges += edge.sum()
            away = (1 - share(self.alpha)) * edge.to(y.dtype)  # (N, 1); only edge samples move
        other = F.one_hot(rival[:, 0], y.shape[1]).to(y.dtype)
        forward.batch = forward.batch.replace(y=torch.lerp(y, other, away))
        return torch.lerp(code, self.means[rival[:, 0]], away)

    def distances(self, mean: Tensor) -> Tensor:
        """(N, classes): squared Mahalanobis distances; all 0 while nothing is known."""
        weighted = self.means * self.precisions
        squared = mean**2 @ self.precisions.T - 2 * mean @ weighted.T
        return squared + (self.means * weighted).sum(1)

    def end_epoch(self) -> float:
        """This epoch's statistics become the ones to compare with; returns the edge share."""
        n = self.counts.clamp(min=1)[:, None]
        means = self.sums / n
        variances = (self.squares / n - means**2).clamp(min=1e-6)
        self.known.copy_(self.counts > 0)
        self.means.copy_(means)
        self.precisions.copy_(self.known[:, None] / variances)
        edge = float(self.edges / self.counts.sum().clamp(min=1))
        for buffer in (self.sums, self.squares, self.counts, self.edges):
            buffer.zero_()
        return edge


@dataclass(kw_only=True)
class InfoMixup(Method):
    """Replaces the head by a bottleneck that mixes its edge samples."""

    replaces: ClassVar[str | None] = "head"
    resamples: ClassVar[bool] = True
    size: int = param(84, "K, dimensions of the code", low=1)
    beta: float = param(1e-3, "weight of the KL term", low=0)
    alpha: float = param(2.0, "both parameters of the Beta distribution of λ", low=0)
    p: float = param(0.95, "quantile: higher means fewer edge samples", low=0, high=1)

    def install(self, model: Model) -> None:
        model.replace_head(
            lambda head: ClassBottleneck(head, self.size, self.beta, self.alpha, self.p)
        )

    def end_epoch(self, model: Model) -> dict[str, float]:
        head = model.head
        assert isinstance(head, ClassBottleneck)
        return {"edge": head.end_epoch()}
