"""Where test images lie in front of the last layer: its inputs, in two dimensions.

The inputs of the last linear layer, or of a bottleneck (`vib`, `info-mixup`) the means of its code,
of the first `images` test images. Where they have two dimensions they are drawn as they are, as in
the figures of manifold mixup (Verma et al., ICML 2019, arXiv:1806.05236) and of A. H. Meyer's
thesis (RIT, 2022); otherwise in the plane of their two principal components, the signs of which are
chosen so that the largest loading of each axis is positive. Of `info-mixup`, which keeps a diagonal
Gaussian of codes for each class, `samples` are drawn of each and projected in the same way.

Rows: kind (`image`, or `sample` of a class's Gaussian), index of the test image, label, prediction
(both -1 for a sample), x, y, explained (the share of the images' variance that the two axes hold).
`between classes` is the share of the images' variance in the plane that lies between the means of
the classes: near 1 where classes are narrow and far apart. A defence before the network that shows
it an image once stays there; behind one that asks several times an image has no one code.
Cost: one forward per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.hidden import last_layer, receive
from robustbench_cli.analysis.planes import principal
from robustbench_cli.models.model import Model
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param
from robustbench_cli.training.methods.info_mixup import ClassBottleneck

MOST = 10_000


@dataclass(kw_only=True)
class Embedding(Analysis):
    piece: ClassVar[int] = MOST  # in one go: the axes are those of all images

    images: int = param(1000, "how many test images", low=2, high=MOST)
    samples: int = param(
        1000, "drawn of each class's Gaussian, where the method keeps them", low=0, high=MOST
    )

    def choose(self, subject: Subject) -> Tensor:
        last_layer(subject.model)
        return torch.arange(min(self.images, len(subject.test)))

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        image = subject.test[chosen]
        name, layer = last_layer(subject.model)
        out, heard = receive(subject, image.x, {name: layer})
        codes, label = heard[name].double().cpu(), image.labels.cpu()
        drawn, drawn_label = self._samples(subject.model, codes.shape[1])
        if codes.shape[1] == 2:
            origin, axes, explained = torch.zeros_like(codes[0]), torch.eye(2).to(codes), 1.0
        else:
            origin, axes, explained = principal(codes)
        places = (torch.cat([codes, drawn]) - origin) @ axes.T
        none = torch.full_like(drawn_label, -1)
        x, y = places.float().T.numpy()
        return {
            "kind": np.array(["image"] * len(codes) + ["sample"] * len(drawn), dtype=object),
            "index": torch.cat([chosen, none]).numpy(),
            "label": torch.cat([label, drawn_label]).numpy(),
            "prediction": torch.cat([out.argmax(1).cpu(), none]).numpy(),
            "x": x,
            "y": y,
            "explained": np.full(len(x), explained),
        }

    def _samples(self, model: Model, size: int) -> tuple[Tensor, Tensor]:
        """(n, size) of the classes' Gaussians, class after class, and their classes (n,)."""
        head = model.head
        if not isinstance(head, ClassBottleneck):
            return torch.empty(0, size, dtype=torch.float64), torch.empty(0, dtype=torch.long)
        known = (head.precisions > 0).all(1).cpu()
        means, precisions = head.means.double().cpu(), head.precisions.double().cpu()
        classes = known.nonzero()[:, 0].repeat_interleave(self.samples)
        noise = torch.randn(len(classes), means.shape[1], dtype=torch.float64)
        return means[classes] + noise * precisions[classes].rsqrt(), classes

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        images = table[table["kind"] == "image"]
        places = images[["x", "y"]].astype(float)
        total = float(((places - places.mean()) ** 2).to_numpy().sum())
        within = places - places.groupby(images["label"]).transform("mean")
        inside = float((within**2).to_numpy().sum())
        right = float((images["prediction"] == images["label"]).mean())
        return [
            Number("explained", float(images["explained"].iloc[0]), "share"),
            Number("between classes", 1 - inside / total if total else float("nan"), "share"),
            Number("accuracy", right, "share", len(images)),
        ]
