"""Did training by one-step attacks teach the network to withstand one-step attacks alone?

Within an epoch such a network can learn to fool FGSM, while PGD breaks nearly everything: what is
measured with one step is then worth nothing. For networks of `fgsm-at`, `fast-at`, `free-at` (or
`pgd-at:steps=1`), compares one-step and iterative gradient attacks of one norm on the same samples,
within the radius of the training. Fails where one step leaves over three quarters of clean accuracy
and the iterative attack less than half of that (sign test, p < 0.01), and where `fast-at` ended so
by its own figures in history.csv. (A network that has learned little loses more to one step.)
Wong, Rice & Kolter, ICLR 2020, arXiv 2001.03994; Andriushchenko & Flammarion, NeurIPS 2020, arXiv
2007.02617.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import number, split
from robustbench_cli.trust.check import About, Check, Evidence, Finding
from robustbench_cli.trust.comparing import accuracies, lead, shared

ONE_STEP = ("fgsm-at", "fast-at", "free-at")
REMEDY = (
    "report the iterative attack, and train with -m pgd-at, or keep the epoch that withstands one: "
    "--stop-on linf-pgd:steps=10"
)


@dataclass(kw_only=True)
class CatastrophicOverfitting(Check):
    about: ClassVar[About] = "one step"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        trained = _trained(evidence.config)
        if trained is None or not evidence.evaluations:
            return
        method, radius = trained
        white = [e for e in evidence.evaluations if e.record.get("access") == "gradient"]
        worst: tuple[float, str] | None = None
        about: list[Evaluation] = []
        for one, many, eps in shared(
            [e for e in white if e.record.get("one_step")],
            [e for e in white if not e.record.get("one_step")],
        ):
            if one.norm != "linf" or eps.value > radius:
                continue
            about += [one, many]
            clean, high, low = accuracies(one, many, eps)
            collapsed = _collapsed(clean, high, low)
            gap = lead(one, many, eps) if collapsed else 0.0
            text = f"{one.attack} leaves {high:.1%} and {many.attack} {low:.1%} at eps {eps}"
            worst = max(worst or (0.0, ""), (gap, text))
        ended = {} if evidence.config.get("stop_on") else evidence.ended  # another epoch was kept
        if worst and worst[0]:
            text = f"{worst[1]}: {method} overfitted to one step"
            yield self.found("failure", text, REMEDY, of=about)
        elif _ended_so(ended, method):
            yield self.found(
                "failure",
                f"training ended with {ended['fgsm']:.1%} under FGSM and {ended['pgd']:.1%} under "
                f"PGD-5 on a training batch: {method} overfitted to one step",
                REMEDY,
            )
        elif worst:
            yield self.found("pass", f"{method} withstands more than one step", of=about)


def _trained(config: Mapping[str, object]) -> tuple[str, Fraction] | None:
    """The one-step method and its radius (Linf); None where there is none."""
    for part in split(str(config.get("method_resolved") or config.get("method"))):
        name, _, given = part.partition(":")
        values = dict(item.split("=", 1) for item in given.split(",") if "=" in item)
        one_step = name == "pgd-at" and values.get("steps") == "1" and "norm" not in values
        if name in ONE_STEP or one_step:
            try:
                return part, number(values["eps"])
            except (KeyError, UsageError):
                return None
    return None


def _collapsed(clean: float, one_step: float, iterative: float) -> bool:
    return one_step > 0.75 * clean and iterative < one_step / 2


def _ended_so(ended: Mapping[str, float], method: str) -> bool:
    """Whether the weights of a last epoch that had collapsed were kept."""
    if not {"validation", "fgsm", "pgd"} <= {*ended}:
        return False
    undone = ended.get("collapsed") and "guard=warn" not in method
    return not undone and _collapsed(ended["validation"], ended["fgsm"], ended["pgd"])
