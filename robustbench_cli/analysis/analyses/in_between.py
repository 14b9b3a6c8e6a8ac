"""Between training images: how often a mixture is taken for neither, and how steep the loss is.

Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond empirical risk minimization", ICLR 2018,
arXiv:1710.09412, figure 2. x = λ xᵢ + (1-λ) xⱼ for random pairs of training images and λ from 0 to
1. A mixture is a miss if it is classified as neither of the two. The gradient is that of the cross
entropy by x, in the L2 norm; neither the norm nor the label is in the paper: `label=nearest` is
that of the image with the larger share (the first at one half), `mixed` shares the label as x is.

`classes`: pairs of `any` classes, of the `same`, or of `other` ones. Rows: first, second (the
training images), label_first, label_second, same, lam, prediction, miss, gradient. Random choices
depend on the seed. Cost per pair: points forwards and backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.analysis.gradients import loss_gradient
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param


@dataclass(kw_only=True)
class InBetween(Analysis):
    trains: ClassVar[bool] = True
    piece: ClassVar[int] = 50

    pairs: int = param(200, "how many, drawn at random", low=1, high=100_000)
    points: int = param(21, "values of λ, both ends included", low=2, high=1001)
    classes: Literal["any", "same", "other"] = param("any", "which pairs are drawn")
    label: Literal["nearest", "mixed"] = param("nearest", "whose loss the gradient is of")

    def choose(self, subject: Subject) -> Tensor:
        """(pairs, 2): two training images, never the same one twice."""
        labels = _train(subject).labels.cpu()
        n, found = len(labels), torch.empty(0, 2, dtype=torch.long)
        for _ in range(1000):
            drawn = torch.randint(n, (2 * self.pairs, 2))
            alike = labels[drawn[:, 0]] == labels[drawn[:, 1]]
            fits = {"any": alike | True, "same": alike, "other": ~alike}[self.classes]
            found = torch.cat([found, drawn[fits & (drawn[:, 0] != drawn[:, 1])]])
            if len(found) >= self.pairs:
                return found[: self.pairs]
        raise UsageError(f"{self.name}: hardly a pair of classes={self.classes} in {n} images")

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        train, lam = _train(subject), torch.linspace(0, 1, self.points)
        i, j = chosen.T.repeat_interleave(self.points, 1)  # pair by pair, λ running fastest
        lams = lam.repeat(len(chosen))
        first, second = train.labels[i], train.labels[j]

        def ask(part: slice) -> list[Tensor]:
            a, b = train[i[part]].x, train[j[part]].x
            share = lams[part].to(a)
            x = b + share[:, None, None, None] * (a - b)
            with torch.no_grad():
                out = subject.network(x)
            target = torch.where(share >= 0.5, first[part], second[part])
            if self.label == "mixed":
                one, two = (F.one_hot(y[part], out.shape[1]).to(x) for y in (first, second))
                target = two + share[:, None] * (one - two)
            steep = loss_gradient(subject.network, x, target).flatten(1).norm(dim=1)
            return [out.argmax(1).cpu(), steep.cpu()]

        asked = zip(*subject.batches.map(len(i), ask), strict=True)
        prediction, gradient = (torch.cat(each) for each in asked)
        one, two = first.cpu(), second.cpu()
        return {
            "first": i.numpy(),
            "second": j.numpy(),
            "label_first": one.numpy(),
            "label_second": two.numpy(),
            "same": (one == two).numpy(),
            "lam": lams.double().numpy().round(6),
            "prediction": prediction.numpy(),
            "miss": ((prediction != one) & (prediction != two)).numpy(),
            "gradient": gradient.numpy(),
        }

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        found = []
        for same, name in ((False, "other classes"), (True, "same class")):
            rows = table[table["same"] == same]
            if len(rows):
                found.append(Number(f"miss, {name}", float(rows["miss"].mean()), "share"))
                steep = float(rows["gradient"].mean())
                found.append(Number(f"gradient, {name}", steep))
        return found


def _train(subject: Subject) -> Images:
    assert subject.train is not None  # `trains` says so
    return subject.train
