"""Were the attacked images used in training, or to choose the epoch that was kept?

Training never sees the test part of a data set, and `--stop-on` looks at images held out of the
training part. But a folder can hold the same pictures in both parts. Counts the test images that
equal a training or held-out image pixel by pixel; fails above half a percent of training images,
or of held-out ones that chose the epoch.
Rice, Wong & Kolter, ICML 2020, arXiv 2002.11569, on choosing an epoch by test images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from robustbench_cli.trust.check import About, Check, Evidence, Finding

FEW = 0.005


@dataclass(kw_only=True)
class SeenTestImages(Check):
    about: ClassVar[About] = "network"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        counted = evidence.facts.get("test_images")
        if not counted or not evidence.evaluations:
            return
        size, trained, held = (counted[key] for key in ("size", "train", "validation"))
        data = evidence.config.get("data")
        remedy = f"take the test images out of the training part of {data}, and train again"
        if trained > FEW * size:
            yield self.found(
                "failure",
                f"{trained} of {size} test images are training images, too: accuracy is that of "
                "images learned by heart",
                remedy,
            )
        elif evidence.config.get("stop_on") and held > FEW * size:
            yield self.found(
                "failure",
                f"{held} of {size} test images are among those on which --stop-on chose the epoch",
                remedy,
            )
        else:
            yield self.found("pass", "the test images were not used in training")
