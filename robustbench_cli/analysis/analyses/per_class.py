"""Accuracy by class, balanced accuracy and the confusion matrix, unchanged and under attack.

Unchanged images are shown to the network; attacks are read from what `robustmix attack` stored of
the same run in the same view, and nothing is attacked here. `attack` keeps one attack (a name, or a
spec whose commas are written as +), `eps` some of its epsilons; all by default.

Rows: attack (empty for unchanged images), eps, label, target (-1 where none was aimed at),
prediction, count. A prediction under attack is that of the verified adversarial, or of the
unchanged image where there is none. Balanced accuracy is the mean of the classes' accuracies; a
targeted attack's success is the share of `prediction` = `target`. The numbers are those of the
unchanged images, and of each attack at its largest epsilon. Cost: one forward per test image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.runs.analysed import Number
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class PerClass(Analysis):
    piece: ClassVar[int] = 1

    attack: str | None = param(None, "name or spec of a stored attack; none: all")
    eps: str | None = param(None, "epsilons, as 8/255 or 0.1,0.2; none: all that are stored")

    def reads(self, evaluation: Evaluation) -> bool:
        wanted = (self.attack or "").replace("+", ",")
        named = wanted in ("", evaluation.attack, evaluation.attack.partition(":")[0])
        return named and bool(self._epsilons(evaluation))

    def _epsilons(self, evaluation: Evaluation) -> list[Eps]:
        chosen = grid([self.eps]) if self.eps else evaluation.epsilons
        return [eps for eps in evaluation.epsilons if eps in chosen and eps.value]

    def choose(self, subject: Subject) -> Tensor:
        """(1 + evaluations,): the unchanged images, and each evaluation."""
        return torch.arange(1 + len(subject.evaluations))

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        if int(chosen[0]) == 0:
            test = subject.test
            parts = subject.batches.map(
                len(test), lambda part: subject.logits(test[part].x).argmax(1)
            )
            prediction = torch.cat(parts).cpu().numpy()
            found = {"label": test.labels.cpu().numpy(), "prediction": prediction}
            return _columns([("", "0", pd.DataFrame(found))])
        evaluation = subject.evaluations[int(chosen[0]) - 1]
        rows = evaluation.samples
        return _columns(
            [
                (evaluation.attack, eps.text, rows[rows["eps"] == eps.text])
                for eps in self._epsilons(evaluation)
            ]
        )

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        found = []
        for attack in table["attack"].unique():
            rows = table[table["attack"] == attack]
            eps = max(map(Eps.parse, rows["eps"].unique()))
            here = rows[rows["eps"] == eps.text]
            where = f", {attack} ε={eps}" if attack else ""
            accuracies = by_class(here)
            right = int(here.loc[here["prediction"] == here["label"], "count"].sum())
            total = int(here["count"].sum())
            found += [
                Number(f"accuracy{where}", right / total, "share", total),
                Number(f"balanced{where}", float(accuracies.mean()), "share"),
                Number(f"worst class{where}", float(accuracies.min()), "share"),
            ]
            if (here["target"] >= 0).any():
                hit = int(here.loc[here["prediction"] == here["target"], "count"].sum())
                found.append(Number(f"target reached{where}", hit / total, "share", total))
        return found


def by_class(rows: pd.DataFrame) -> pd.Series:
    """Index: label; the share of its images that are classified right."""
    right = rows["count"].where(rows["prediction"] == rows["label"], 0)
    return right.groupby(rows["label"]).sum() / rows.groupby("label")["count"].sum()


def _columns(seen: list[tuple[str, str, pd.DataFrame]]) -> Columns:
    parts = []
    for attack, eps, rows in seen:
        whole = rows.assign(target=rows.get("target", -1))
        counts = whole.groupby(["label", "target", "prediction"]).size().rename("count")
        parts.append(counts.reset_index().assign(attack=attack, eps=eps))
    table = pd.concat(parts, ignore_index=True)
    order = ["attack", "eps", "label", "target", "prediction", "count"]
    return {name: np.asarray(table[name]) for name in order}
