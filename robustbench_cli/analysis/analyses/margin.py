"""How wide the band is in which the network is not sure, between points of two classes.

A. H. Meyer's thesis (RIT, 2022), table 3.1, for data that are points, such as `spirals`: on the
segment between two test points of other classes lie `points` points, evenly spaced, both ends
included. From each end, the boundary is the first of them at which the probability of that end's
class is below `level`; the margin is the distance between the two boundaries. The thesis takes all
pairs, of which there are quadratically many; here `pairs` different ones are drawn at random, or
all where there are fewer. `interpolate` places a boundary between two points of the segment, where
the straight line through their probabilities passes the level; without it margins are known to two
steps of the segment.

The thesis does not say what becomes of pairs that have no such margin. Rows: first, second (the
test points), label_first, label_second, length (of the segment), margin, case. `case`: `defined`;
`crossed` where the two boundaries lie in the wrong order, as they do where the band is narrower
than a step: a margin of 0; `no crossing` where the probability never falls below the level from one
of the ends; `unsure end` where it is below it at an end already; these two have no margin (NaN) and
are left out of `mean` and `median`. `answered` is the share of pairs that are in them.
Cost: points forwards per pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.points import points_of
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param

UNDEFINED = ("unsure end", "no crossing")
CASES = ("defined", "crossed", *UNDEFINED)


@dataclass(kw_only=True)
class Margin(Analysis):
    piece: ClassVar[int] = 1000

    pairs: int = param(10_000, "of test points of other classes", low=1, high=1_000_000)
    points: int = param(25, "on a segment, both ends included", low=2, high=10_001)
    level: float = param(0.9, "the probability at which a boundary lies", low=0.5, high=1)
    interpolate: bool = param(False, "between the points of a segment")

    def choose(self, subject: Subject) -> Tensor:
        """(n, 2): two test points of other classes, the one with the smaller index first."""
        points_of(subject.test, self.name)
        labels = subject.test.labels.cpu()
        n, counts = len(labels), labels.bincount()
        available = (n * n - int(counts.square().sum())) // 2
        if not available:
            raise UsageError(f"{self.name}: all test points are of one class")
        if available <= 4 * self.pairs:
            i, j = torch.triu_indices(n, n, 1)
            found = torch.stack([i, j], 1)[labels[i] != labels[j]]
            return found[torch.randperm(len(found))[: self.pairs]]
        keys = torch.empty(0, dtype=torch.long)
        while len(keys) < self.pairs:
            i, j = torch.randint(n, (2, 2 * self.pairs)).sort(0).values
            drawn = torch.cat([keys, (i * n + j)[labels[i] != labels[j]]])
            keys = torch.from_numpy(np.unique(drawn.numpy()))
        keys = keys[torch.randperm(len(keys))[: self.pairs]]
        return torch.stack([keys // n, keys % n], 1)

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        i, j = chosen.T
        places, labels = points_of(subject.test, self.name), subject.test.labels
        a, b = places[i], places[j]
        t = torch.linspace(0, 1, self.points).to(a)
        segment = a[:, None] + t[None, :, None] * (b - a)[:, None]
        out = subject.logits(segment.reshape(-1, *subject.test.shape)).softmax(1)
        probability = out.double().view(len(a), self.points, -1)

        def along(label: Tensor) -> Tensor:
            """(n, points): the probability of each pair's label."""
            where = label[:, None, None].expand(-1, self.points, 1)
            return probability.gather(2, where)[:, :, 0]

        near, near_case = self._boundary(along(labels[i]))
        far, far_case = self._boundary(along(labels[j]).flip(1))
        length = (b - a).double().norm(dim=1)
        width = (1 - far - near) * length
        case = np.full(len(a), "defined", dtype=object)
        case[(width < 0).cpu().numpy()] = "crossed"
        for name in UNDEFINED:
            case[((near_case == name) | (far_case == name))] = name
        answered = ~np.isin(case, UNDEFINED)
        return {
            "first": i.numpy(),
            "second": j.numpy(),
            "label_first": labels[i].cpu().numpy(),
            "label_second": labels[j].cpu().numpy(),
            "length": length.cpu().numpy(),
            "margin": np.where(answered, width.clamp(min=0).cpu().numpy(), np.nan),
            "case": case,
        }

    def _boundary(self, p: Tensor) -> tuple[Tensor, np.ndarray]:
        """Probabilities (n, points) from an end on -> where the boundary is, 0 to 1, and a case."""
        below = p < self.level
        found, at = below.any(1), below.int().argmax(1)
        place = at.double()
        if self.interpolate:
            before, after = (p.gather(1, k[:, None])[:, 0] for k in ((at - 1).clamp(min=0), at))
            back = (self.level - after) / (before - after).clamp(min=1e-300)
            place = torch.where(at > 0, place - back, place)
        case = np.full(len(p), "defined", dtype=object)
        case[(found & (at == 0)).cpu().numpy()] = "unsure end"
        case[(~found).cpu().numpy()] = "no crossing"
        return place / (self.points - 1), case

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        margin = table["margin"].astype(float)
        found = [
            Number("mean", float(margin.mean()), "pixels"),
            Number("median", float(margin.median()), "pixels"),
            Number("answered", float(margin.notna().mean()), "share"),
        ]
        shares = {case: float((table["case"] == case).mean()) for case in CASES[1:]}
        return found + [Number(case, share, "share") for case, share in shares.items()]
