"""The one number of a curve by which groups are set against each other."""

from __future__ import annotations

from typing import Literal

from robustbench_cli.epsilon import Eps

from .summary import Curve, Estimate

Quantity = Literal["accuracy", "clean", "area", "half"]
"""Accuracy at an epsilon, or of unchanged images; area as a share; the epsilon at half."""


def taken(curve: Curve, quantity: Quantity, eps: Eps) -> Estimate | None:
    """As a share of 1, but for the epsilon at half; None where the curve does not have it."""
    if quantity == "accuracy":
        return curve.at(eps)
    return {"clean": curve.clean, "area": curve.share, "half": curve.half}[quantity]
