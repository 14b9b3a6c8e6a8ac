"""At test time: compress and decompress each image as JPEG does.

Dziugaite et al. 2016, arXiv 1608.00853; Guo et al., ICLR 2018, arXiv 1711.00117, at quality 75.
Everything of baseline JPEG that loses information, as tensor operations on the whole batch: YCbCr,
halved chroma (`subsample`; colour images only), the cosine transform of 8x8 blocks, the standard's
quantisation tables, and rounding to 8 bits before and after. Differs from libjpeg, which computes
in whole numbers, by about a level.
The three roundings have no gradient. Gradients pass through them as if nothing had been rounded or
clipped, and exactly through all the rest (BPDA, Athalye et al. 2018); `gradient=none` hides them.
Cost per prediction: 1 forward. The same answer each time. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.defences.jpeg_codec import compress
from robustbench_cli.training.defences.surrogate import Gradient
from robustbench_cli.training.method import Method, Predict


@dataclass(kw_only=True)
class JPEG(Method):
    """Compresses before everything that stands to its right."""

    quality: int = param(75, "of the compression, as libjpeg counts it", low=1, high=100)
    subsample: bool = param(True, "halve the chroma, as most programs do")
    gradient: Gradient = param("straight-through", "what an attack sees of the roundings")

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        return rest(model, compress(x, self.quality, self.subsample, self.gradient))
