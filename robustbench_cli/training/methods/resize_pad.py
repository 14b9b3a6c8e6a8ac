"""At test time: average the probabilities over images resized at random and padded with black.

Xie et al., "Mitigating Adversarial Effects Through Randomization", ICLR 2018, arXiv 1711.01991:
`kind=resize` enlarges an image of 299 pixels to 310 to 331 (nearest pixel) and pads it to 331 at a
random place. The network sees larger images, which one with a fully connected layer after a
flattening cannot take; `low=0.9,high=1` keeps the size. The paper draws once, the authors' entry to
a competition averaged 30 draws and added random flips, which are not done here.
`kind=crop` is what the Mixup Inference paper (ICLR 2020, arXiv 1909.11515) calls by Xie's name: a
random crop of 24 to 32 of 32 pixels, not resized, put at a random place on black.
It falls to an attack that averages gradients over draws (Athalye et al. 2018). The gradient is
exact.
Cost per prediction: `draws` forwards. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from robustbench_cli.device import is_out_of_memory
from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import Averaged
from robustbench_cli.training.defences.placing import place, random_lengths, random_spans, whole
from robustbench_cli.training.method import Predict

USUAL = {"resize": (310 / 299, 331 / 299), "crop": (0.75, 1.0)}


@dataclass(kw_only=True)
class ResizePad(Averaged):
    """Each image stands at a random place, in a random size."""

    kind: Literal["resize", "crop"] = param("resize", "what happens before the padding")
    low: float | None = param(
        None, "smallest size, as a share of the side; none: 310/299, for crop 0.75", low=0.01
    )
    high: float | None = param(
        None, "largest size, as a share of the side; none: 331/299, for crop 1", low=0.01
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.sizes
        if low > high:
            raise UsageError(f"resize-pad: low={low:g} is above high={high:g}")
        if self.kind == "crop" and high > 1:
            raise UsageError(f"resize-pad: a crop is no larger than its image; high={high:g}")

    @property
    def sizes(self) -> tuple[float, float]:
        low, high = USUAL[self.kind]
        return low if self.low is None else self.low, high if self.high is None else self.high

    def canvas(self, x: Tensor) -> tuple[int, int]:
        """Height and width of what the network is shown."""
        height, width = x.shape[2:]
        return max(height, round(self.sizes[1] * height)), max(width, round(self.sizes[1] * width))

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        try:
            return super().predict(model, x, rest)
        except RuntimeError as e:
            shape = self.canvas(x)
            if shape == tuple(x.shape[2:]) or is_out_of_memory(e):
                raise
            raise UsageError(
                f"resize-pad shows the network {shape[0]}x{shape[1]} images, which it cannot take; "
                "resize-pad:low=0.9,high=1 keeps their size"
            ) from e

    def vary(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        low, high = self.sizes
        canvas = self.canvas(x)
        lengths = random_lengths(x, low, high)
        target = random_spans(lengths[0], canvas[0]), random_spans(lengths[1], canvas[1])
        if self.kind == "crop":
            source = random_spans(lengths[0], height), random_spans(lengths[1], width)
        else:
            source = whole(len(x), height, x.device), whole(len(x), width, x.device)
        return place(x, source, target, canvas, "nearest")
