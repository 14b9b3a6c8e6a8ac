"""Classes on a plane through an image: the church windows of adversarial directions.

Warde-Farley and Goodfellow, "Adversarial perturbations of deep neural networks", 2016. For each of
the first `images` test images that are classified correctly, a window of `points` x `points`
around it: x + s (a u + b v), with u and v orthonormal, a and b from -eps to eps. s is the length of
the first direction before it was normalised, so that with a sign of a gradient a is the change of
every pixel, and with random directions the root mean square of the changes.

`directions`:
- `gradient`: u is the sign of the loss's gradient, v random and orthogonal to it.
- `random`: both are random.
- `adversarial`: v is the gradient towards the runner-up class, orthogonalised; it needs three
  classes.
- `halves`: the sign of the gradient on a random half of the pixels, and on the other half.

Rows: index, label, a, b, prediction, loss (cross entropy of the label), confidence (of the
prediction), flat (True where a direction vanished, as where the gradient is zero). `adversarial`
is the share of the window that is not the label's; `nearest boundary` the distance, as
sqrt(a² + b²), to the nearest point of another class, averaged over the images whose window holds
one, and known to a step of the grid; `no boundary` the share of images whose window holds none.
Pixels are not clamped to [0, 1] unless `clamp`. The thesis that draws such windows leaves it open.
Cost per image: points² forwards, and one or two gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.gradients import loss_gradient
from robustbench_cli.analysis.planes import FLAT, on_plane, orthonormal, window
from robustbench_cli.analysis.radius import given, widest
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import logits
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class ChurchWindow(Analysis):
    piece: ClassVar[int] = 1

    images: int = param(16, "how many test images", low=1, high=1000)
    points: int = param(101, "along a side of a window; odd, to hold the image", low=3, high=1001)
    eps: float | None = param(
        None,
        "half a side, in pixels; none: the end of the data set's usual L∞ sweep",
        low=0,
        unit="pixels",
    )
    directions: Literal["gradient", "random", "adversarial", "halves"] = param(
        "gradient", "what spans the plane"
    )
    clamp: bool = param(False, "keep the points' pixels in [0, 1]")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points % 2 == 0:
            raise UsageError(f"{self.name}: points={self.points} is even; type {self.points + 1}")

    def adapt(self, dataset: Dataset) -> None:
        self.eps = widest(dataset, "linf") if self.eps is None else self.eps

    def choose(self, subject: Subject) -> Tensor:
        found = subject.classified(self.images)
        classes = subject.logits(subject.test[found[:1]].x).shape[1]
        if self.directions == "adversarial" and classes < 3:
            raise UsageError(
                f"{self.name}: with {classes} classes the gradient towards the other one is no "
                "second direction; type directions=halves"
            )
        return found

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        (index,) = chosen.tolist()
        image = subject.test[chosen]
        first, second = self.spanning(subject, image.x, image.labels)
        plane, scale = orthonormal(first, second)[0], float(first.norm())
        ab = window(self.points, given(self.eps, self.name), image.x.device)
        x, shape = image.x.flatten(), image.x.shape[1:]

        def ask(part: slice) -> list[Tensor]:
            points = on_plane(x, scale * plane, ab[part]).view(-1, *shape)
            out = logits(subject.network, points.clamp(0, 1) if self.clamp else points)
            loss = F.cross_entropy(out, image.labels.expand(len(out)), reduction="none")
            prediction = out.argmax(1)
            surest = out.softmax(1).gather(1, prediction[:, None])[:, 0]
            return [prediction, loss, surest]

        asked = zip(*subject.batches.map(len(ab), ask), strict=True)
        prediction, loss, confidence = (torch.cat(each).cpu().numpy() for each in asked)
        a, b = ab.cpu().numpy().T
        flat = bool((plane.norm(dim=1) < 0.5).any())
        return {
            "index": np.full(len(a), index),
            "label": np.full(len(a), int(image.labels[0])),
            "a": a.astype(np.float32),
            "b": b.astype(np.float32),
            "prediction": prediction,
            "loss": loss,
            "confidence": confidence,
            "flat": np.full(len(a), flat),
        }

    def spanning(self, subject: Subject, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Two directions (n, d) that span each plane, before they are made orthonormal."""
        noise = torch.randn(2, *x.shape).to(x.device)  # drawn on the CPU: the same on any device
        if self.directions == "random":
            first = noise[0].flatten(1)
            length = x[0].numel() ** 0.5
            return first * (length / first.norm(dim=1, keepdim=True)), noise[1].flatten(1)
        sign = loss_gradient(subject.network, x, labels).sign().flatten(1)
        sign = torch.where(sign.abs().amax(1, keepdim=True) > FLAT, sign, 0)
        if self.directions == "gradient":
            return sign, noise[0].flatten(1)
        if self.directions == "halves":
            rank = noise[0].flatten(1).argsort(1).argsort(1)
            half = rank < sign.shape[1] // 2
            return sign * half, sign * ~half
        out = subject.logits(x).scatter(1, labels[:, None], -torch.inf)
        return sign, -loss_gradient(subject.network, x, out.argmax(1)).flatten(1)

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        wrong = table["prediction"] != table["label"]
        away = pd.Series(np.hypot(table["a"], table["b"])).where(wrong)
        windows = table.assign(away=away).groupby("index")
        nearest = windows["away"].min()
        found = [
            Number("adversarial", float(wrong.mean()), "share"),
            Number("nearest boundary", float(nearest.mean()), "pixels"),
            Number("no boundary", float(nearest.isna().mean()), "share", len(nearest)),
        ]
        flat = windows["flat"].first()
        if flat.any():
            found.append(Number("flat", float(flat.mean()), "share", len(flat)))
        return found
