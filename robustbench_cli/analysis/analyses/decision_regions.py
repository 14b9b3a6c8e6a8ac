"""What the network takes each point of the plane for, with the training points over it.

For data that are points, such as `spirals`, as in the figures of A. H. Meyer's thesis (RIT, 2022)
and of manifold mixup (arXiv:1806.05236): a grid of `points` x `points` over [0, 1]², and the first
`train` training points. Rows: x, y, label (-1: a point of the grid), class, probability (of that
class; softmax). `confidence` is the mean over the grid of the largest probability, `unsure` the
share of the grid where no class has a probability of `level`, `train accuracy` that on the training
points that are shown. A random defence is asked once at each point.
Cost: points² forwards, and one per training point.
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
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class DecisionRegions(Analysis):
    trains: ClassVar[bool] = True
    piece: ClassVar[int] = 5000

    points: int = param(201, "along a side of the plane", low=2, high=2001)
    train: int = param(1000, "training points that are shown, at most", low=0, high=100_000)
    level: float = param(0.9, "the probability below which a point is unsure", low=0, high=1)

    def choose(self, subject: Subject) -> Tensor:
        """(n, 3): x, y and label, float64; the grid first, x running fastest."""
        assert subject.train is not None  # `trains` says so
        points_of(subject.test, self.name)
        axis = torch.linspace(0, 1, self.points, dtype=torch.float64)
        y, x = torch.cartesian_prod(axis, axis).T
        grid = torch.stack([x, y, torch.full_like(x, -1)], 1)
        shown = subject.train[: self.train]
        places = points_of(shown, self.name) if len(shown) else torch.empty(0, 2)
        labelled = torch.cat([places.double(), shown.labels[:, None].double()], 1).cpu()
        return torch.cat([grid, labelled])

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        shape = subject.test.shape
        x = chosen[:, :2].float().to(subject.test.device).view(-1, *shape)
        probability = subject.logits(x).softmax(1).cpu()
        n, classes = probability.shape
        across, up, label = chosen.repeat_interleave(classes, 0).T.numpy()
        return {
            "x": across.astype(np.float32),
            "y": up.astype(np.float32),
            "label": label.astype(np.int64),
            "class": np.tile(np.arange(classes), n),
            "probability": probability.flatten().numpy(),
        }

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        classes = int(table["class"].max()) + 1
        label = table["label"].to_numpy()[::classes]
        probability = table["probability"].to_numpy().reshape(-1, classes)
        surest, shown = probability.max(1), label >= 0
        found = [
            Number("confidence", float(surest[~shown].mean()), "share"),
            Number("unsure", float((surest[~shown] < self.level).mean()), "share"),
        ]
        if shown.any():
            right = probability[shown].argmax(1) == label[shown]
            rate = float(right.mean())
            found.append(Number("train accuracy", rate, "share", len(right)))
        return found
