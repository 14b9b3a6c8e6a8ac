"""At test time: average the probabilities over random crops, enlarged to the size of the image.

Guo et al., "Countering Adversarial Images using Input Transformations", ICLR 2018, arXiv
1711.00117, as the Mixup Inference paper (ICLR 2020, arXiv 1909.11515) has it in its table: crops of
24 to 32 of 32 pixels, bilinear, 30 draws. Guo et al. average 30 crops of 90 of 224 pixels; their
other transformations are `bit-depth`, `jpeg`, `total-variation` and `quilting`. It falls to an
attack that averages gradients over crops (Athalye et al. 2018). The gradient is exact.
Cost per prediction: `draws` forwards. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged
from robustbench_cli.training.defences.placing import place, random_lengths, random_spans, whole


@dataclass(kw_only=True)
class CropResize(Averaged):
    """Each image shows a random part of itself."""

    low: float = param(0.75, "smallest crop, as a share of the side", low=0.01, high=1)
    high: float = param(1.0, "largest crop, as a share of the side", low=0.01, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise UsageError(f"crop-resize: low={self.low:g} is above high={self.high:g}")

    def vary(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        rows, columns = random_lengths(x, self.low, self.high)
        parts = random_spans(rows, height), random_spans(columns, width)
        everything = whole(len(x), height, x.device), whole(len(x), width, x.device)
        return place(x, parts, everything, (height, width), "bilinear")
