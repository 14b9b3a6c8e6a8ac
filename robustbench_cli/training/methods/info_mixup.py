"""A variational bottleneck that mixes only unusual codes, towards the nearest other class.

A. H. Meyer, "InfoMixup", MSc thesis, RIT 2022 (no public code). On top of `vib`, each class c keeps
a diagonal Gaussian (m_c, v_c) of its codes. A sample whose squared Mahalanobis distance from its
own class exceeds the χ²_K quantile p is an edge sample; its code u becomes λu + (1-λ)m_c*, and its
label λy + (1-λ)onehot(c*), c* the nearest other class, λ ~ Beta(α, α). Distances are taken from
μ(x), which decides without a gradient; the KL term is that of the unmixed code of every sample.
Where the thesis can be read in more than one way, the default is the first:
`distance`: `squared`, as the quantile demands; `root`, as its formula is printed, almost never
fires. `statistics`: `previous`, of the whole last epoch, so that the first one mixes nothing;
`running`, of this epoch up to and with this batch. `merge`: `moments` of all samples; `span`, the
mean of the batches' means and a variance that spans their widest gap; `concat`, the old mean as one
more sample of the batch. `rivals`: all classes that are `known`, or those of the `batch`. λ is one
per batch (`per-sample`), and may be max(λ, 1-λ) (`mostly-own`). The share of edge samples is logged
to history.csv as `edge`: a higher p means fewer of them, about 1-p if codes were Gaussian.
Cost per step: 1 forward, 1 backward, a small head and four matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from scipy.stats import chi2
from torch import Tensor, nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.batch import Forward
from robustbench_cli.training.bottlenecks.bottleneck import Bottleneck
from robustbench_cli.training.bottlenecks.class_statistics import MERGES, Merge
from robustbench_cli.training.method import Method
from robustbench_cli.training.mixing.draws import share, shares


@dataclass(kw_only=True)
class InfoMixup(Method):
    """Replaces the head by a bottleneck that mixes its edge samples."""

    replaces: ClassVar[str | None] = "head"
    resamples: ClassVar[bool] = True
    size: int = param(84, "K, dimensions of the code", low=1)
    beta: float = param(1e-3, "weight of the KL term", low=0)
    alpha: float = param(2.0, "both parameters of the Beta distribution of λ", low=0)
    p: float = param(0.95, "quantile: higher means fewer edge samples", low=0, high=1)
    distance: Literal["squared", "root"] = param("squared", "what is held against the quantile")
    statistics: Literal["previous", "running"] = param("previous", "which epoch's Gaussians")
    merge: Merge = param("moments", "how batches are merged")
    rivals: Literal["known", "batch"] = param("known", "which other classes count")
    per_sample: bool = param(False, "draw λ for every sample instead of every batch")
    mostly_own: bool = param(False, "max(λ, 1-λ): the larger share stays with the sample")

    def install(self, model: Model) -> None:
        model.replace_head(lambda head: ClassBottleneck(head, self))

    def end_epoch(self, model: Model) -> dict[str, float]:
        head = model.head
        assert isinstance(head, ClassBottleneck)
        return {"edge": head.end_epoch()}

    def keep(self, like: Tensor) -> Tensor | float:
        """λ: a number, or (N, 1)."""
        if not self.per_sample:
            drawn = share(self.alpha)
            return max(drawn, 1 - drawn) if self.mostly_own else drawn
        each = shares(self.alpha, len(like), like)[:, None]
        return torch.maximum(each, 1 - each) if self.mostly_own else each


class ClassBottleneck(Bottleneck):
    """A bottleneck that knows where each class's codes lie.

    Statistics are buffers: checkpoints hold them, and no attack can touch them.
    """

    means: Tensor  # (classes, K), of the Gaussians to compare with
    precisions: Tensor  # (classes, K), 1 / variance; all 0 while nothing is known
    weighted: Tensor  # (classes, K), means · precisions
    offset: Tensor  # (classes,), Σ_k means² · precisions; infinite for a class not known
    seen: Tensor  # (), samples this epoch
    edges: Tensor  # (), edge samples this epoch

    def __init__(self, head: nn.Linear, method: InfoMixup) -> None:
        super().__init__(head, method.size, method.beta)
        classes = head.out_features
        self.method, self.threshold = method, float(chi2.ppf(method.p, method.size))
        for name in ("means", "precisions", "weighted"):
            self.register_buffer(name, torch.zeros(classes, method.size))
        self.register_buffer("offset", torch.full((classes,), torch.inf))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("edges", torch.zeros(()))
        self.merged = MERGES[method.merge](classes, method.size)
        self.to(head.weight.device)

    def train_code(self, forward: Forward, mean: Tensor, std: Tensor, code: Tensor) -> Tensor:
        # products of mixed precision would be too coarse for differences of squares
        with torch.no_grad(), torch.autocast(mean.device.type, enabled=False):
            y = forward.batch.y.float()
            self.merged.add(y, mean, std)
            if self.method.statistics == "running":
                self.refresh()
            own = y.argmax(1, keepdim=True)
            rivals = distance = self.distances(mean)
            if self.method.rivals == "batch":
                rivals = distance.masked_fill(y.amax(0) == 0, torch.inf)
            nearest, rival = rivals.scatter(1, own, torch.inf).min(1, keepdim=True)
            far = distance.gather(1, own)
            if self.method.distance == "root":
                far = far.clamp(min=0).sqrt()
            edge = (far > self.threshold) & nearest.isfinite() & far.isfinite()
            self.seen += len(y)
            self.edges += edge.sum()
            away = edge * (1 - self.method.keep(mean))  # (N, 1); only edge samples move
            mixed = (y * (1 - away)).scatter_add_(1, rival, away.to(y.dtype))
        forward.batch = forward.batch.replace(y=mixed)
        return torch.lerp(code, self.means[rival[:, 0]], away)

    def distances(self, mean: Tensor) -> Tensor:
        """(N, classes): squared Mahalanobis distances; infinite from a class not known."""
        return torch.addmm(self.offset, mean**2, self.precisions.T) - 2 * mean @ self.weighted.T

    def refresh(self) -> None:
        """What has been merged becomes what is compared with."""
        means, variances = self.merged.result()
        known = self.merged.known
        self.means.copy_(means)
        self.precisions.copy_(known[:, None] / variances)
        self.weighted.copy_(means * self.precisions)
        offset = (means * self.weighted).sum(1)
        self.offset.copy_(torch.where(known > 0, offset, torch.inf))

    def end_epoch(self) -> float:
        """This epoch's statistics become the previous ones; returns the share of edge samples."""
        self.refresh()
        edge = float(self.edges / self.seen.clamp(min=1))
        self.merged.reset()
        self.seen.zero_()
        self.edges.zero_()
        return edge
