"""Accuracy under common corruptions: fifteen ways in which pictures get worse, five severities.

Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR 2019, arXiv:1903.12261. No attack and no epsilon: nobody looks for the worst.

`images` says which. `made`: made here of the test images, by the formulas and the settings of the
authors' code for CIFAR-10-C, which are for 32x32 pixels; all but frost, which takes the authors'
photographs, so that the mean is one of 14 and no number is one of CIFAR-10-C.
`published`: the authors' own files, as they unpack below the data folder: CIFAR-10-C, CIFAR-100-C,
mnist_c (other corruptions, of one severity) or Tiny-ImageNet-C; or any folder that is laid out like
one of them. `only` keeps some corruptions, or kinds of them: noise, blur, weather, digital.

Rows: corruption (empty for unchanged images), kind, severity, accuracy, n; with a `reference`, its
accuracy. The mean is over all corruptions and severities alike, as RobustBench ranks by. The mCE is
the paper's: for each corruption the errors at all severities over those of the reference network,
averaged over the corruptions; 100 is as good as the reference, less is better. Theirs is AlexNet on
ImageNet-C, so that an mCE here compares with no published one. Elastic and glass change with the
severity in kind, not only in strength. Random choices depend on the seed. Cost: one forward per
test image, corruption and severity.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.data.corruptions.corruption import KINDS, MADE, Corrupted
from robustbench_cli.data.corruptions.made import Made
from robustbench_cli.data.corruptions.published import HOMES, open_published
from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import Network, logits
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param

_STANDARD = ("cifar10", "cifar100")  # whose published files are what everybody reports


@dataclass(kw_only=True)
class Corruptions(Analysis):
    piece: ClassVar[int] = 1

    images: str | None = param(
        None, "made, published, or a folder; none: published for CIFAR, otherwise made"
    )
    only: str | None = param(None, "some corruptions or kinds, as noise+fog; none: all")
    samples: int | None = param(None, "how many test images, the first; none: all", low=1)
    reference: str | None = param(None, "run directory of the network that mCE compares with")

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {*KINDS, *KINDS.values()}
        for name in self._wanted:
            if self.images == "made" and name not in known - {"frost"}:
                can = ", ".join(dict.fromkeys(KINDS.values()))
                why = "takes photographs" if name == "frost" else "is no corruption"
                raise UsageError(f"{self.name}: only={name} {why}; type {can}, {', '.join(MADE)}")

    @property
    def _wanted(self) -> list[str]:
        return [name.strip() for name in (self.only or "").split("+") if name.strip()]

    def adapt(self, dataset: Dataset) -> None:
        home = HOMES.get(dataset.name)
        if self.images is None:
            self.images = home if home and dataset.name in _STANDARD else "made"
        elif self.images == "published":
            if home is None:
                raise UsageError(
                    f"{self.name}: nobody publishes corrupted images of {dataset.name} that we "
                    "know of; type images=made, or images=FOLDER for your own"
                )
            self.images = home
        self.__post_init__()

    @property
    def other(self) -> str | None:
        return self.reference

    def folder(self, root: Path) -> Path | None:
        if self.images in (None, "made"):
            return None
        return root / Path(str(self.images)).expanduser()

    def choose(self, subject: Subject) -> Tensor:
        """(1 + cells,): the unchanged images, and each corruption at each severity."""
        return torch.arange(1 + len(self._cells(self._source(subject))))

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        source, number = self._source(subject), int(chosen[0])
        name, severity = self._cells(source)[number - 1] if number else ("", 0)
        shown = source.blocks(name, severity) if number else [subject.test[: self.samples]]
        networks = [subject.network, *([subject.other] if subject.other else [])]
        right, n = [0] * len(networks), 0
        for block in shown:
            for i, network in enumerate(networks):
                right[i] += _hits(subject, network, block)
            n += len(block)
            tell(min(1.0, n / len(subject.test)), f"{name} {severity}".strip())
        columns = {
            "corruption": np.array([name], dtype=object),
            "kind": np.array([KINDS.get(name, "")], dtype=object),
            "severity": np.array([severity]),
            "accuracy": np.array([right[0] / n]),
            "n": np.array([n]),
        }
        if subject.other is not None:
            columns["reference"] = np.array([right[1] / n])
        return columns

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        clean = table[table["severity"] == 0].iloc[0]
        cells = table[table["severity"] > 0]
        count = cells["corruption"].nunique()
        found = [
            Number("clean", float(clean["accuracy"]), "share", int(clean["n"])),
            Number(f"mean of {count} corruptions", float(cells["accuracy"].mean()), "share"),
        ]
        for column, word in (("kind", ""), ("severity", "severity ")):
            means = cells.groupby(column, sort=column == "severity")["accuracy"].mean()
            if len(means) > 1:
                found += [Number(f"{word}{key}", float(m), "share") for key, m in means.items()]
        if "reference" in table:
            found.append(Number("mCE (%)", mean_corruption_error(cells)))
        return found

    def _source(self, subject: Subject) -> Corrupted:
        if subject.folder is None:
            wanted = [name for name in MADE if self._is_wanted(name)]
            return Made(subject.test[: self.samples], wanted, subject.seed)
        return open_published(subject.folder, subject.test, self.samples)

    def _cells(self, source: Corrupted) -> list[tuple[str, int]]:
        cells = [cell for cell in source.cells if self._is_wanted(cell[0])]
        if not cells:
            there = ", ".join(dict.fromkeys(name for name, _ in source.cells)) or "nothing"
            raise UsageError(f"{self.name}: only={self.only} fits no corruption; there is: {there}")
        return cells

    def _is_wanted(self, name: str) -> bool:
        wanted = self._wanted
        return not wanted or name in wanted or KINDS.get(name) in wanted


def mean_corruption_error(cells: pd.DataFrame) -> float:
    """In percent of the reference's errors; NaN where it makes none under some corruption."""
    accuracy = cells.groupby("corruption")[["accuracy", "reference"]]
    errors = accuracy.count() - accuracy.sum()  # summed over severities
    ratios = errors["accuracy"] / errors["reference"].replace(0, np.nan)
    return float(100 * ratios.mean(skipna=False))


def _hits(subject: Subject, network: Network, block: Images) -> int:
    def work(part: slice) -> int:
        answers = logits(network, block[part].x).argmax(1)
        return int((answers == block.labels[part]).sum())

    return sum(subject.batches.map(len(block), work))
