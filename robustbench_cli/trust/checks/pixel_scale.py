"""Are the pixels on the scale that the network was trained on?

A wrong normalisation costs clean accuracy and makes every epsilon mean something else. Fails where
another scale (times 255, 2x - 1, standardised) gives more right answers by over 2 points (sign
test, p < 0.01), and where no pixel exceeds 2/255, as after dividing by 255 twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from scipy.special import bdtr

from robustbench_cli.trust.check import About, Check, Evidence, Finding
from robustbench_cli.trust.comparing import SURE


@dataclass(kw_only=True)
class PixelScale(Check):
    about: ClassVar[About] = "network"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen = evidence.worst("input-scale", "best")
        if seen is None:
            return
        won, lost = int(seen["won"]), int(seen["lost"])
        gain = float(seen["best"]) - float(seen["as_is"])
        if float(seen["high"]) <= 2 / 255:
            yield self.found(
                "failure",
                f"no pixel exceeds {seen['high']:.4f}: were they divided by 255 twice?",
                "give pixels as uint8, or as floats in [0, 1]",
            )
        elif gain > 0.02 and float(bdtr(lost, won + lost, 0.5)) < SURE:
            yield self.found(
                "failure",
                f"clean accuracy is {seen['as_is']:.1%}, and {seen['best']:.1%} with pixels "
                f"{seen['better']}: the network expects another normalisation",
                "type --normalise data, symmetric, imagenet or none",
            )
        else:
            yield self.found("pass", "no other scale of pixels suits the network better")
