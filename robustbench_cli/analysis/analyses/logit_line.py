"""Logits along the sign of the gradient, from -eps to eps, and how many linear pieces they have.

Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015,
arXiv:1412.6572, figure 4: a network of rectified linear units is piecewise linear, and along the
sign of the loss's gradient its wrong logits grow almost linearly. z(x + t sign(g)), t in [-eps,
eps], without clamping, for each of the first `images` test images that are classified correctly.

Rows: index, label, t, class, logit, pieces. `pieces` are counted where the slope of a random
combination of the logits jumps (two jumps closer than 2 eps / (points - 1) / 2^halvings are one);
NaN where the network bends everywhere, as with smooth activations or random defences. `linearity`
is R² of the straight line through the label's logit, averaged over the images; `crossing` the share
of images whose class changes for some t above 0.
Cost per image: points forwards, and a gradient at each of them and around each jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.gradients import directional, loss_gradient
from robustbench_cli.analysis.pieces import count_pieces
from robustbench_cli.analysis.radius import given, widest
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class LogitLine(Analysis):
    piece: ClassVar[int] = 1

    images: int = param(4, "how many test images", low=1, high=1000)
    points: int = param(101, "along each line", low=3, high=10_001)
    halvings: int = param(8, "of an interval in which the slope jumps", low=0, high=20)
    eps: float | None = param(
        None,
        "half the line, in pixels; none: the end of the data set's usual L∞ sweep",
        low=0,
        unit="pixels",
    )

    def adapt(self, dataset: Dataset) -> None:
        self.eps = widest(dataset, "linf") if self.eps is None else self.eps

    def choose(self, subject: Subject) -> Tensor:
        return subject.classified(self.images)

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        image, eps = subject.test[chosen], given(self.eps, self.name)
        sign = loss_gradient(subject.network, image.x, image.labels).sign()
        t = torch.linspace(-eps, eps, self.points, dtype=torch.float64)
        out = subject.logits(self._on_line(image.x, sign, t))
        weights = torch.randn(out.shape[1]).to(out)

        def slope(places: Tensor) -> Tensor:
            def part(here: slice) -> Tensor:
                x = self._on_line(image.x, sign, places[here])
                return directional(subject.network, x, sign.expand_as(x), weights).cpu()

            return torch.cat(subject.batches.map(len(places), part))

        pieces = count_pieces(slope, -eps, eps, self.points, self.halvings)
        classes, rows = out.shape[1], out.numel()
        return {
            "index": np.full(rows, int(chosen[0])),
            "label": np.full(rows, int(image.labels[0])),
            "t": t.repeat_interleave(classes).numpy(),
            "class": np.tile(np.arange(classes), len(t)),
            "logit": out.flatten().cpu().numpy(),
            "pieces": np.full(rows, pieces),
        }

    def _on_line(self, x: Tensor, sign: Tensor, t: Tensor) -> Tensor:
        """(m, C, H, W)"""
        return x + t.to(x)[:, None, None, None] * sign

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        own = table[table["class"] == table["label"]]
        lines = [line for _, line in own.groupby("index")]
        fits = [np.corrcoef(line["t"], line["logit"])[0, 1] ** 2 for line in lines]
        highest = table.loc[table.groupby(["index", "t"])["logit"].idxmax()]
        wrong = (highest["class"] != highest["label"]) & (highest["t"] > 0)
        crossed = wrong.groupby(highest["index"]).any()
        pieces = own.groupby("index")["pieces"].first()
        return [
            Number("pieces", float(pieces.mean()), "count"),
            Number("linearity", float(np.mean(fits))),
            Number("crossing", float(crossed.mean()), "share", len(crossed)),
        ]
