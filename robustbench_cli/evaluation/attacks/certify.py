"""Certified accuracy of the network under Gaussian noise, in L2: a proof, and no attack.

Cohen, Rosenfeld & Kolter 2019, "Certified Adversarial Robustness via Randomized Smoothing",
arXiv:1902.02918. Of the smoothed network g(x) = the class that f most often gives to
x + N(0, sigma² I), which is the method `smoothing` in its limit of many votes. `n0` noisy images
choose a class, `n` fresh ones bound its probability from below (Clopper-Pearson):

    radius = sigma · Φ⁻¹(p),   p = the bound; abstains unless p > 1/2

Epsilons are radii. An image counts at a radius if g is right and certified for it; abstentions are
errors at every radius. Each certificate holds with probability 1 - alpha, by itself. It speaks of
the bare network under noise, whatever defences stand before it. The paper: n = 100,000. No radius
exceeds sigma · Φ⁻¹(alpha^(1/n)), that is 3.2 sigma for n = 10,000; epsilons beyond are refused
unless `beyond` is true.
Cost for all epsilons together: `n0` + `n` forwards. Every image has random numbers of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_cli.evaluation.certify import Certifier


@dataclass(kw_only=True)
class Certify(Certifier):
    """Everything is in its parameters."""
