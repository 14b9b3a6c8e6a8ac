"""The contract of a method that trains on images which an attack has made beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import param
from robustbench_cli.spec.pixels import refuse_unscaled
from robustbench_cli.training.method import Method


class Corpus(NamedTuple):
    """x: (N, C, H, W), float32 in [0, 1], each misclassified by the source. labels: (N,)."""

    x: Tensor
    labels: Tensor


@dataclass(kw_only=True)
class Offline(Method):
    """The training job crafts the corpus, or reads it, and hands it over before the first step."""

    source: str | None = param(None, "the run that was attacked (needed): its name, or its folder")
    attack: str = param("linf-pgd", "one, or several like linf-pgd/linf-fgsm")
    eps: float | None = param(None, "radius in pixels; none: usual for the data set", low=0)
    corpus: Corpus | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for attack in self.attack.split("/") if self.eps is not None else ():
            norm = attack.partition("-")[0]  # of what trains here; others meet their norm later
            refuse_unscaled(f"{self.name} ({attack}): eps=", float(self.eps or 0), norm)

    def adapt(self, dataset: Dataset) -> None:
        if not self.source:
            raise UsageError(
                f"{self.name} needs a trained network to attack: {self.name}:source=RUN"
            )

    def take(self, corpus: Corpus) -> None:
        """Before the first step; on the device of the training."""
        self.corpus = corpus

    def state(self) -> dict[str, object]:
        """Nothing: a resumed training is handed the same corpus."""
        return {}
