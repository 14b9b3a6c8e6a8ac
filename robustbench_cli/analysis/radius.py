"""How far an analysis looks: epsilons that are usual for a data set."""

from __future__ import annotations

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.epsilon import Eps, eps_range
from robustbench_cli.errors import UsageError


def usual(dataset: Dataset, norm: str) -> float:
    """The one to attack with."""
    return float(Eps.parse(dataset.usual_eps(norm)))


def widest(dataset: Dataset, norm: str) -> float:
    """The end of the usual sweep."""
    return float(eps_range(dataset.usual_eps(norm, "ranges"))[-1])


def given(eps: float | None, name: str) -> float:
    """
    Raises:
        UsageError: nobody named one.
    """
    if eps is None:
        raise UsageError(f"{name} needs an eps where no data set names one: {name}:eps=0.1")
    return eps
