"""Does an attack break what a certificate vouches for? Then one of the two is wrong.

Compares L2 attacks through `smoothing` with the certificates of the same σ, sample by sample and
within the certified radius R. At a distance d each vote is right with a probability of at least
Φ((R - d)/σ). Only images count for which so many votes go wrong by chance less than once in 1000
times; the number broken is tested against that chance and the certificates' own (binomial,
p < 0.01). What an attack on a class breaks counts, too; that it breaks nothing says little, and is
no pass. Attacks on the bare network prove nothing about the smoothed one and are not compared.
Cohen, Rosenfeld & Kolter, ICML 2019, arXiv 1902.02918.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.special import bdtr, bdtrc, ndtr

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.trust.check import Check, Evidence, Finding
from robustbench_cli.trust.comparing import SURE, one_goal, one_network, right

CHANCE = 1e-3


@dataclass(kw_only=True)
class CertifiedSandwich(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for proof in evidence.certificates:
            for attack in evidence.evaluations:
                defences = attack.record.get("defences") or []
                alike = attack.norm == proof.norm and one_network(attack, proof)
                if alike and len(defences) == 1 and _same(defences[0], proof):
                    yield from self._compare(attack, proof, int(defences[0]["n"]))

    def _compare(self, attack: Evaluation, proof: Evaluation, votes: int) -> Iterator[Finding]:
        first = proof.samples.drop_duplicates("index").set_index("index")
        radius = first["radius"].where(first["clean"] == first["label"], 0.0)
        parameters = proof.record["parameters"]
        chance = float(parameters["alpha"]) + CHANCE * (len(attack.epsilons) + 1)
        worst, compared = (1.0, ""), 0
        for eps in attack.epsilons:
            held = right(attack, eps)
            sure = _sure(radius, float(eps), float(parameters["sigma"]), votes)
            vouched = held.index.intersection(sure[sure].index)
            broken, n = int((~held[vouched]).sum()), len(vouched)
            compared = max(compared, n)
            p = float(bdtrc(broken - 1, n, chance)) if broken else 1.0
            worst = min(worst, (p, f"{broken} of {n} images at eps {eps}"))
        if worst[0] < SURE:
            yield self.found(
                "failure",
                f"{attack.attack} breaks {worst[1]} for which {proof.attack} vouches: the attack "
                "or the certificate is wrong",
                "do both again: --force; and see what the attack's own record says",
                of=[attack, proof],
            )
        elif compared and one_goal(attack, proof):  # one that aims breaks less by nature
            yield self.found(
                "pass",
                f"{attack.attack} breaks no more than chance of what {proof.attack} holds",
                of=[attack, proof],
            )


def _same(defence: Mapping[str, Any], proof: Evaluation) -> bool:
    """Whether a certificate speaks of the network behind this defence."""
    return (
        defence.get("name") == "smoothing"
        and defence.get("vote") == "hard"
        and defence.get("sigma") == proof.record["parameters"]["sigma"]
    )


def _sure(radius: pd.Series, distance: float, sigma: float, votes: int) -> pd.Series:
    """True where `votes` go wrong less than once in 1000 times at this distance."""
    p = ndtr((radius.to_numpy(float) - distance) / sigma)
    sure = pd.Series(bdtr(float(votes // 2), votes, p) < CHANCE, radius.index)
    return (radius > distance) & sure
