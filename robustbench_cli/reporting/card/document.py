"""From the records of a card's jobs to its document and what the checks say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, reduce
from itertools import chain
from typing import Any

import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.tables.notes import published
from robustbench_cli.runs.analysed import Analysed
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run
from robustbench_cli.statistics.intervals import half_width, wilson
from robustbench_cli.trust.check import unmeasured, verdict
from robustbench_cli.trust.examine import Found, entries, examine_runs

from .parts import CORRUPTIONS, PICTURES, TRANSFER, Part, Protocol, Threat
from .schema import FORMAT, KIND

Numbers = dict[str, Any]
_WAYS: Mapping[object, str] = {True: "data", False: "none"}
"""How a run that was trained here says it."""


@dataclass(frozen=True)
class Card:
    """The parts that were done, read once; everything else follows."""

    run: Run
    protocol: Protocol
    parts: Sequence[Part]

    @cached_property
    def attacked(self) -> list[tuple[Part, Evaluation]]:
        """Attacks and transfers with their results."""
        kinds = (CORRUPTIONS, PICTURES)
        return [
            (part, Evaluation.load(part.record))
            for part in self.parts
            if part.record and part.role not in kinds
        ]

    @cached_property
    def analysed(self) -> list[tuple[Part, Analysed]]:
        """Corruptions and pictures."""
        kinds = (CORRUPTIONS, PICTURES)
        return [
            (part, Analysed.load(part.record))
            for part in self.parts
            if part.record and part.role in kinds
        ]

    @cached_property
    def findings(self) -> Found:
        """What the checks say of these attacks, also beside others that the run holds."""
        rows = [
            (self.run.name, "", "deployed", evaluation.file_name, evaluation.file_name)
            for part, evaluation in self.attacked
            if part.role != TRANSFER
        ]
        frame = pd.DataFrame(rows, columns=["run", "defence", "view", "file", "files"])
        source = self.protocol.source
        return {
            subject: [finding for finding in found if finding.asked]
            for subject, found in examine_runs(
                [self.run, *([source] if source else [])], frame
            ).items()
        }

    @cached_property
    def document(self) -> dict[str, Any]:
        """See `schema.CARD`.

        Raises:
            RunError: not one attack succeeded.
        """
        if not self.attacked:
            reasons = "; ".join(dict.fromkeys(part.error for part in self.parts if part.error))
            raise RunError(f"{self.run.path}: no attack of the card was done: {reasons}")
        numbers, robust = list(self._numbers()), list(self._robust())
        told = self.protocol
        shown = sum(a.record["cost"]["seconds"] for p, a in self.analysed if p.role == PICTURES)
        record = self.attacked[0][1].record
        checked = entries(self.findings, [])["checks"]
        return {
            "format": FORMAT,
            "kind": KIND,
            "made": self._made(),
            "network": _network(self.run),
            "threats": [{**_eps(threat), "why": threat.why} for threat in told.threats],
            "protocol": {
                "strength": told.strength,
                "checks": told.checks,
                "images": told.n,
                "of": told.of,
                "seed": told.seed,
                "minutes": told.minutes,
                "expected_seconds": round(told.expected, 1),
                "spent_seconds": round(sum(each["seconds"] or 0 for each in numbers) + shown, 1),
                "full_seconds": round(told.whole, 1),
                "source": told.source.name if told.source else None,
                "weaker": list(told.weaker),
                "left_out": [*told.left_out, *self._failed()],
            },
            "certainty": _certainty([*numbers, *robust], told.of),
            "numbers": numbers,
            "robust": robust,
            "corruptions": self._corruptions(),
            "verdict": self._verdict(),
            "checks": [
                {k: entry[k] for k in ("check", "level", "text", "remedy", "attacks")}
                for entry in checked
            ],
            "command": told.command,
            "versions": record.get("versions", {}),
            "device": str(record.get("device", "")),
        }

    def _numbers(self) -> Iterator[Numbers]:
        first = self.attacked[0][1]
        nothing = dict.fromkeys(("norm", "eps", "eps_value", "attack"))
        free = dict.fromkeys(("forwards", "backwards", "seconds", "record"))
        yield {"what": "clean", **nothing, **_share(first.tally.clean, first.n), **free}
        for part, analysed in self.analysed:
            if part.role == CORRUPTIONS:
                yield {"what": CORRUPTIONS, **nothing, **_mean(part, analysed)}
        for part, evaluation in self.attacked:
            threat = part.threat
            assert threat is not None and part.record is not None
            right = int(evaluation.correct()[_text(evaluation, threat)].sum())
            cost = evaluation.record.get("cost", {})
            signals = evaluation.record.get("signals", {})
            spent = float(cost.get("seconds", 0)) + float(signals.get("seconds", 0))
            yield {
                "what": part.role,
                **_eps(threat),
                "attack": part.spec,
                **_share(right, evaluation.n),
                "forwards": cost.get("forwards"),
                "backwards": cost.get("backwards"),
                "seconds": round(spent, 3),
                "record": f"{part.record.parent.name}/{part.record.name}",
            }

    def _robust(self) -> Iterator[Numbers]:
        """A sample counts if no result in the norm has it wrong."""
        for threat in self.protocol.threats:
            held = {
                part.role: evaluation.correct()[_text(evaluation, threat)].sort_index()
                for part, evaluation in self.attacked
                if part.threat == threat
            }
            if held:
                whole = reduce(lambda a, b: a & b, held.values())
                broken = {role: int((~right).sum()) for role, right in held.items()}
                share = _share(int(whole.sum()), len(whole))
                yield {**_eps(threat), **share, "broken_by": broken}

    def _corruptions(self) -> list[Numbers]:
        keys = ("corruption", "kind", "severity", "accuracy", "n")
        return [
            {key: row[key] for key in keys}
            for part, analysed in self.analysed
            if part.role == CORRUPTIONS
            for row in analysed.table.to_dict("records")
            if row["severity"]
        ]

    def _failed(self) -> list[str]:
        return [
            f"{part.role}{f' in {part.threat.norm}' if part.threat else ''}: {part.error}"
            for part in self.parts
            if not part.record
        ]

    def _verdict(self) -> str:
        line = verdict(chain.from_iterable(self.findings.values()))
        left = unmeasured([e for part, e in self.attacked if part.role != TRANSFER])
        return f"{line} Not measured at this strength: {', '.join(left)}." if left else line

    def _made(self) -> str:
        """By the files, so that the same results make the same card."""
        newest = max(part.record.stat().st_mtime for part in self.parts if part.record)
        return datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")


def members(card: Card) -> list[Mapping[str, Any]]:
    """Of each worst case, who tried and broke how many."""
    return list(
        chain.from_iterable(
            [{**entry, "norm": evaluation.norm} for entry in evaluation.record.get("members", ())]
            for _, evaluation in card.attacked
        )
    )


def _network(run: Run) -> dict[str, Any]:
    config, data = run.config, run.record.get("data") or {}
    return {
        "name": run.name,
        **{key: str(config.get(key) or "") for key in ("data", "model", "method")},
        "weights": run.weights_digest,
        **{key: config.get(key) for key in ("checkpoint", "checkpoint_digest")},
        "published": next(iter(published([run])), None),
        "normalise": _WAYS.get(way := config.get("normalise"), way),
        "classes": [str(each) for each in data.get("classes", ())],
        "test_images": data.get("test_digest"),
    }


def _eps(threat: Threat) -> dict[str, Any]:
    return {"norm": threat.norm, "eps": threat.eps.text, "eps_value": float(threat.eps)}


def _text(evaluation: Evaluation, threat: Threat) -> str:
    """How the evaluation writes the epsilon."""
    return next(eps.text for eps in evaluation.epsilons if eps == threat.eps)


def _share(right: int, n: int) -> dict[str, Any]:
    low, high = wilson(right, n)
    return {"accuracy": right / n, "low": low, "high": high, "n": n}


def _mean(part: Part, analysed: Analysed) -> dict[str, Any]:
    """Over corruptions and severities alike; without an interval: cells share their images."""
    assert part.record is not None
    cells = analysed.table[analysed.table["severity"] > 0]
    cost, n = analysed.record.get("cost", {}), int(cells["n"].iloc[0])
    return {
        "attack": part.spec,
        "accuracy": float(cells["accuracy"].mean()),
        "low": None,
        "high": None,
        "n": n,
        "forwards": cost.get("forwards", 0) / n,
        "backwards": cost.get("backwards", 0) / n,
        "seconds": cost.get("seconds"),
        "record": f"{part.record.parent.name}/{part.record.name}",
    }


def _certainty(numbers: Sequence[Numbers], of: int) -> dict[str, float]:
    known = [each for each in numbers if each["low"] is not None]
    return {
        "half_width": max((each["high"] - each["low"]) / 2 for each in known),
        "of_all": max(half_width(each["accuracy"], of) for each in known),
    }
