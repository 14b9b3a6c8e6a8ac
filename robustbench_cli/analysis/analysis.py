"""The contract of an analysis, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import Network, logits
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.models.model import Model
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import Plugin

Columns = Mapping[str, np.ndarray]
Tell = Callable[[float, str], None]
"""``tell(share of the piece that is done, what is being done)``."""


@dataclass(frozen=True)
class Subject:
    """All that an analysis may look at.

    network: pixels (N, C, H, W) in [0, 1] -> logits (N, classes), in eval mode, frozen, counting
    what is asked of it. train, other, evaluations and folder only where the analysis asks for them.
    """

    network: Network
    test: Images
    seed: int
    batches: Batches
    train: Images | None = None
    other: Network | None = None
    evaluations: Sequence[Evaluation] = ()
    folder: Path | None = None

    @property
    def model(self) -> Model:
        """The network itself, without defences: its stages and its head.

        Raises:
            UsageError: a network that names none.
        """
        inner: nn.Module = self.network.predictor
        inner = getattr(inner, "model", inner)
        if not isinstance(inner, Model):
            raise UsageError("this analysis looks at hidden layers, and the network names none")
        return inner

    def logits(self, x: Tensor, network: Network | None = None) -> Tensor:
        """(N, classes), float32, in batches that fit."""
        network = network or self.network
        parts = self.batches.map(len(x), lambda part: logits(network, x[part]))
        return torch.cat(parts)

    def classified(self, most: int | None = None) -> Tensor:
        """Indices of the first `most` test images that the network classifies correctly.

        Raises:
            UsageError: there is none.
        """
        found = torch.empty(0, dtype=torch.long, device=self.test.labels.device)
        size = self.batches.size if most is None else min(self.batches.size, 2 * most)
        for start in range(0, len(self.test), size):
            part = self.test[start : start + size]
            right = self.logits(part.x).argmax(1) == part.labels
            found = torch.cat([found, right.nonzero()[:, 0] + start])
            if most is not None and len(found) >= most:
                return found[:most]
        if not len(found):
            raise UsageError("the network classifies no test image correctly; train it for longer")
        return found


@dataclass(kw_only=True)
class Analysis(Plugin):
    """A question about one network; one file in analyses/ each."""

    room: ClassVar[str] = "analyses"
    trains: ClassVar[bool] = False  # whether it looks at training images, too
    piece: ClassVar[int] = 16  # items that are looked at in one go: the most that a kill can cost

    def adapt(self, dataset: Dataset) -> None:
        """Fill in what depends on the data set; called once, before anything else."""

    @property
    def other(self) -> str | None:
        """The run directory of a network to compare with."""
        return None

    def folder(self, root: Path) -> Path | None:
        """Files that it looks at beside the data set; `root` holds all data sets."""
        return None

    def reads(self, evaluation: Evaluation) -> bool:
        """Whether the answer depends on this stored evaluation."""
        return False

    def choose(self, subject: Subject) -> Tensor:
        """(n, ...): what is looked at, a row each; random choices come from torch's generator.

        Raises:
            UsageError: parameters that do not fit the subject.
        """
        raise NotImplementedError

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        """The rows of the table that a few of the chosen items give."""
        raise NotImplementedError

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        """What sums up the whole table."""
        raise NotImplementedError
