"""Rotations and translations on a grid, in no norm: epsilon is a share of the largest ones.

Engstrom et al. 2019, "Exploring the Landscape of Spatial Robustness", arXiv:1712.02779.

    x' = rotate and shift x by angles and pixels from {-1, ..., 1} · eps · (largest angle, shift)

At epsilon 1 the largest are `rotation` degrees and `translation` pixels each way, by bilinear
interpolation and with zeros coming in from outside. No distance measures such a change, so what is
checked of an image is that it is finite, inside [0, 1] and misclassified; never compare these
epsilons with those of a norm. Cost per epsilon: up to `angles` · `shifts`^2 forwards. No
randomness.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from foolbox.attacks.spatial_attack import SpatialAttack
from foolbox.models.base import Model

from robustbench_cli.evaluation.attack import Attack, Crafted, Samples, claim
from robustbench_cli.evaluation.verification.ball import Norm, into_ball
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class Spatial(Attack):
    norm: ClassVar[Norm] = "none"
    access: ClassVar[Literal["decision"]] = "decision"

    translation: float = param(3.0, "largest shift, in pixels", low=0)
    rotation: float = param(30.0, "largest angle, in degrees", low=0, high=180)
    shifts: int = param(5, "shifts tried along each axis", low=2)
    angles: int = param(5, "angles tried", low=2)

    def build(self, eps: float | None) -> Any:
        assert eps is not None
        return SpatialAttack(
            max_translation=eps * self.translation,
            max_rotation=eps * self.rotation,
            num_translations=self.shifts,
            num_rotations=self.angles,
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        assert eps is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Foolbox's meshgrid names no indexing
            images = self.build(eps).run(model, samples.x, samples.criterion)
        images = into_ball(samples.x, images, eps, self.norm)
        return Crafted(images, claim(model, samples, images))
