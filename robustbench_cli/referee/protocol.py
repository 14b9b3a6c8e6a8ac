"""What a referee does to a network, at four strengths, and at which epsilons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.signal import Effort
from robustbench_cli.evaluation.verification.ball import Norm
from robustbench_cli.jobs.attack_config import AttackConfig, make_attack_config
from robustbench_cli.reporting.card.parts import NOISE, PGD, STEP, WORST, Threat
from robustbench_cli.spec import build

NORMS = tuple(norm for norm in get_args(Norm) if norm != "none")
USUAL = ("linf", "l2")
"""The norms of a card that was asked for none, as far as papers have an epsilon there."""

_NOISY = ("linf", "l2")
_ONE_STEP = {"linf": "linf-fgsm", "l2": "l2-fgm", "l1": "l1-fgm"}


@dataclass(frozen=True)
class Level:
    """How strong attacks are, how hard is looked for signs of failure, and on how many images.

    `fewest` and `most` are for a budget: weaker attacks are worth no more images than `most`, which
    are the fewest of the next level; so a larger budget never has fewer. `patient`: which share of
    the longest worst case a sample takes that withstands it, where patience gives most of them up
    early; of few steps it saves little. What nearly broke is so little that its restarts do not
    show. As much as was measured on two robust networks of MNIST, in L∞ and L2, and a little more.
    """

    name: str
    steps: int
    restarts: int
    union: str  # of the worst case
    draws: int
    checks: Effort
    fewest: int
    most: int | None
    patient: float

    def attacks(self, norm: str) -> dict[str, str]:
        """Specs by role, cheapest first."""
        found = {}
        if norm in _NOISY:
            found[NOISE] = f"{norm}-noise:draws={self.draws}"
        if norm in _ONE_STEP:
            found[STEP] = _ONE_STEP[norm]
            found[PGD] = f"{norm}-pgd:steps={self.steps},restarts={self.restarts}"
        found[WORST] = f"worst-case:{norm},{self.union}"
        return {role: str(build(Attack, spec)) for role, spec in found.items()}

    def lent(self, norm: str) -> str | None:
        """What is run on another network, to be shown to this one; None where nothing is."""
        return str(build(Attack, f"{norm}-pgd:steps={self.steps}")) if norm in _ONE_STEP else None

    def weaker(self) -> list[str]:
        """What is less than at full strength, in words."""
        pairs = zip(self._words().items(), FULL._words().values(), strict=True)
        return [f"{what} ({mine}; full: {full})" for (what, mine), full in pairs if mine != full]

    def _words(self) -> dict[str, str]:
        return {
            PGD: f"steps={self.steps}, restarts={self.restarts}",
            WORST: self.union.replace(",", ", "),
            NOISE: f"draws={self.draws}",
            "checks": self.checks,
        }


LEVELS = (
    Level("quick", 20, 1, "steps=20,targets=3,queries=300", 20, "quick", 50, 200, 0.85),
    Level("light", 20, 1, "steps=20,targets=3,queries=300", 20, "full", 200, 500, 0.85),
    Level("medium", 50, 2, "steps=50,targets=5,queries=1000", 50, "full", 500, 1000, 0.35),
    Level("full", 50, 10, "steps=100,targets=9,queries=5000", 100, "full", 1000, None, 0.22),
)
"""Weakest first. The last has PGD-50-10, and in its worst case as much as AutoAttack has."""
FULL = LEVELS[-1]


def threats_for(asked: Sequence[str], data: str) -> tuple[Threat, ...]:
    """As `threats`, by the spec of a data set."""
    return threats(asked, build(Dataset, data, trusted=False))


def worst_cases(
    asked: Sequence[str], data: str, *, samples: int | None = None
) -> list[AttackConfig]:
    """What decides which readings of somebody's weights may be guessed."""
    return [
        make_attack_config(FULL.attacks(t.norm)[WORST], data, (t.eps,), samples=samples)
        for t in threats_for(asked, data)
    ]


def threats(asked: Sequence[str], dataset: Dataset) -> tuple[Threat, ...]:
    """``linf``, at the epsilon that papers compare at, or ``linf=8/255``; without any, the usual.

    Raises:
        UsageError: no such norm, one named twice, or no paper compares networks on these data.
    """
    if not asked:
        asked = [norm for norm in USUAL if norm in dataset.quoted]
        if not asked:
            raise UsageError(
                f"at which epsilon? no paper compares networks on {dataset.name}; "
                "type --norm linf=8/255 --norm l2=0.5"
            )
    found: dict[str, Threat] = {}
    for text in asked:
        norm, _, eps = (part.strip() for part in text.partition("="))
        if norm not in NORMS:
            raise UsageError(f"--norm {text}: no norm {norm!r}; type {', '.join(NORMS)}")
        if norm in found:
            raise UsageError(f"--norm {norm} stands there twice; a card has one epsilon in each")
        found[norm] = _threat(norm, eps, dataset)
    return tuple(found.values())


def _threat(norm: str, eps: str, dataset: Dataset) -> Threat:
    if eps:
        parsed, why = Eps.parse(eps), "as asked"
    elif norm in dataset.quoted:
        text, source = dataset.quoted[norm]
        parsed = Eps.parse(text)
        why = f"usual for {dataset.name}: {source}" if source else "usual here; papers have none"
    else:
        raise UsageError(
            f"--norm {norm}: no {norm} epsilon is usual for {dataset.name}; type --norm {norm}=EPS"
        )
    if not parsed.value:
        raise UsageError(f"--norm {norm}={eps}: at epsilon 0 nothing may change; type a larger one")
    return Threat(norm, parsed, why)
