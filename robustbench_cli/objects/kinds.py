"""The types that public functions take, by name: an editor says the same as an error does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from robustbench_cli.analysis.analysis import Analysis
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.models.model import Architecture
from robustbench_cli.runs.given import RunLike, RunsLike
from robustbench_cli.training.method import Method

__all__ = [
    "AnalysisLike",
    "ArrayLike",
    "AttackLike",
    "DataLike",
    "EpsilonsLike",
    "MethodLike",
    "ModelLike",
    "NetworkLike",
    "NetworksLike",
    "PartLike",
    "RunLike",
    "RunsLike",
]

ArrayLike = NDArray[Any] | Tensor
PartLike = tuple[ArrayLike, ArrayLike | Sequence[int]] | TorchDataset[Any] | DataLoader[Any]
"""Labelled images: ``(x, y)``, or what gives pairs of an image and a label."""
DataLike = str | Dataset | type[Dataset] | PartLike | tuple[PartLike, PartLike]
"""A spec, or labelled images; two parts are those to train on and those to test on."""
NetworkLike = RunLike | nn.Module
"""A run, its directory, a checkpoint file, ``robustbench:NAME``, ``hf:...``, or an object."""
NetworksLike = NetworkLike | Iterable[NetworkLike]
ModelLike = str | Architecture | type[nn.Module] | nn.Module
"""What is trained: a spec, a class of networks, or an object with the weights to begin with."""
AttackLike = str | Attack
AnalysisLike = str | Analysis
MethodLike = str | Method | type[Method] | Sequence[str | Method]
EpsilonsLike = str | float | Eps | Iterable[str | float | Eps]

ARRAYS = (np.ndarray, Tensor)
