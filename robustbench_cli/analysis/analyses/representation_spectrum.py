"""How flat the classes lie in the hidden layers: singular values of their activations.

Verma et al., "Manifold Mixup", ICML 2019, arXiv:1806.05236, section 3: mixing hidden activations is
said to flatten the representations of a class, so that fewer directions hold their variance. For
each class and hidden layer, the activations of its first `images` test images are a matrix with a
row for each image, flattened and `centred` on their mean; its singular values are the lengths of
its principal axes, times the square root of the number of images.

A layer is what receives the activations: the stages of the network after the image, its head, and
of a bottleneck the means of its code (`robustmix --explain` of `vib`). Rows: label, layer, images,
features, rank (1 for the largest), value, carried (the share of the squares up to this rank).
`directions` of a layer is how many of them carry `share` of the squares, on average over the
classes; at most as many as a class has images, so compare only runs with as many images.
A defence before the network that shows it an image once stays there.
Cost: one forward per image, and a decomposition of a matrix for each class and layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.hidden import hidden_layers, receive
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param

ROUNDING = 1e-9
"""What a sum of shares may miss for no other reason than its summation."""


@dataclass(kw_only=True)
class RepresentationSpectrum(Analysis):
    piece: ClassVar[int] = 1

    images: int = param(100, "test images of each class, at most", low=2, high=1000)
    share: float = param(0.95, "of the squares, that the directions must carry", low=0, high=1)
    centred: bool = param(True, "take the mean of the class away first")

    def choose(self, subject: Subject) -> Tensor:
        """(classes,): those of which there are two images or more."""
        hidden_layers(subject.model)
        classes = (subject.test.labels.cpu().bincount() > 1).nonzero()[:, 0]
        if not len(classes):
            raise UsageError(f"{self.name}: no class has two test images")
        return classes

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        (label,) = chosen.tolist()
        members = (subject.test.labels == label).nonzero()[: self.images, 0]
        _, heard = receive(subject, subject.test[members].x, hidden_layers(subject.model))
        parts = []
        for done, (layer, activations) in enumerate(heard.items()):
            tell(done / len(heard), f"class {label}, {layer}")
            values = singular_values(activations.double().cpu(), centred=self.centred)
            squares = values**2
            total, m = squares.sum(), len(values)
            parts.append(
                {
                    "label": np.full(m, label),
                    "layer": np.full(m, layer, dtype=object),
                    "images": np.full(m, len(members)),
                    "features": np.full(m, activations.shape[1]),
                    "rank": np.arange(1, m + 1),
                    "value": values,
                    "carried": squares.cumsum() / total if total else np.ones(m),
                }
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        found = []
        for layer in table["layer"].unique():
            rows = table[table["layer"] == layer]
            short = (rows["carried"] < self.share - ROUNDING).groupby(rows["label"]).sum()
            alive = rows["value"].groupby(rows["label"]).max() > 0
            directions = (short + 1).where(alive, 0)
            found.append(Number(f"directions, {layer}", float(directions.mean()), "count"))
        return found


def singular_values(activations: Tensor, *, centred: bool) -> np.ndarray:
    """(n, d) -> (min(n, d),), falling."""
    if centred:
        activations = activations - activations.mean(0)
    return np.asarray(torch.linalg.svdvals(activations).numpy())
