"""Does the number depend on a guess about somebody else's weights?

A file seldom says how its images were normalised. A guess passes where clean accuracy left nothing
else, or where a short attack at the same epsilon finds the same under all that is possible. Fails
where another normalisation gives a number outside the interval, and warns where nobody looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.statistics.intervals import half_width
from robustbench_cli.trust.check import Check, Evidence, Finding


@dataclass(kw_only=True)
class GuessedNormalisation(Check):
    def look(self, evidence: Evidence) -> Iterator[Finding]:
        readings = evidence.guess.get("readings", ())
        if not readings or not evidence.evaluations:
            return
        possible = [each for each in readings if each["possible"]]
        chosen, rivals = possible[0], [each["option"] for each in possible[1:]]
        if not rivals:
            right, of = chosen["right"], chosen["of"]
            yield self.found(
                "pass", f"{chosen['option']} by {right / of:.1%} of {of} training images"
            )
            return
        for evaluation in evidence.evaluations:
            judged = [j for j in evidence.guess.get("judged", ()) if _stands_for(j, evaluation)]
            yield self._judge(evaluation, judged, chosen["option"], rivals)

    def _judge(
        self,
        evaluation: Evaluation,
        judged: Sequence[Mapping[str, Any]],
        chosen: str,
        rivals: Sequence[str],
    ) -> Finding:
        """Where the readings differ most, of the epsilons of one evaluation."""
        asked = [eps.text for eps in evaluation.epsilons if eps.value]
        unseen = [eps for eps in asked if eps not in {j["eps"] for j in judged}]
        remedy = f"find out how it was trained and type it: {chosen}, or {', or '.join(rivals)}"
        worst = max((j for j in judged if j["eps"] in asked), key=_gap, default=None)
        if worst is not None and _gap(worst) > half_width(worst["accuracy"][0], evaluation.n):
            first, *others = worst["accuracy"]
            i = max(range(len(others)), key=lambda i: abs(others[i] - first))
            return self.found(
                "failure",
                f"{chosen} was guessed: {worst['attack']} at {worst['eps']} leaves {first:.1%}, "
                f"and {others[i]:.1%} under {rivals[i]}",
                remedy,
                of=[evaluation],
            )
        if unseen:
            return self.found(
                "warning",
                f"{chosen} was guessed, and whether {rivals[0]} gives another accuracy at "
                f"{evaluation.norm} {unseen[0]} was not measured",
                f"attack the file itself, or {remedy}",
                of=[evaluation],
            )
        return self.found(
            "pass",
            f"{evaluation.attack}: {chosen} was guessed; {rivals[0]} gives the same",
            of=[evaluation],
        )


def _stands_for(judged: Mapping[str, Any], evaluation: Evaluation) -> bool:
    """Whether this short attack is of the same kind: the norm, and with or without gradients."""
    blind = evaluation.record.get("access", "gradient") != "gradient"
    alike = not blind or "-square" in judged["attack"] or evaluation.norm not in ("linf", "l2")
    return alike and judged["norm"] == evaluation.norm


def _gap(judged: Mapping[str, Any]) -> float:
    first, *others = map(float, judged["accuracy"])
    return max(abs(each - first) for each in others)
