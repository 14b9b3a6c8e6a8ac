"""At test time: mix each image with training images and average the probabilities.

Pang, Xu & Zhu, "Mixup Inference", ICLR 2020, arXiv 1909.11515, for networks trained with mixup.
x̃ₖ = λx + (1 - λ)sₖ, F(x) = mean of softmax f(x̃ₖ), ŷ = argmax f(x).
pl: sₖ of the predicted class ŷ. ol: sₖ of a class drawn from the others. combined: pl with `few`
draws; where that makes f(x) less sure of ŷ by `drop` or more, ol with half of `draws` instead.
The paper: λ = 0.5 (0.6 for a network trained by IAT), 30 draws; combined 5 and 15 draws, λ = 0.5
for pl and 0.4 for ol (0.5 in its code), `drop` 0.2. Its code compares the largest probabilities
instead of those of ŷ, and draws partners from the *test* set. Here `pool` images of each class come
from the training images, chosen by `seed`.
Its tables attack the bare network and show the images to this one, which says little; so does
`robustmix attack RUN --defence mixup-inference -a transfer:RUN`. An attack through the defence, the
deployed view, has the exact gradient of the mixtures it draws.
Cost per prediction: 1 + `draws` forwards; combined 1 + `few`, and half of `draws` where it doubts.
Training is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import ask, mean_prediction
from robustbench_cli.training.defences.pool import Pool
from robustbench_cli.training.method import Method, Predict

Choose = Callable[[], Tensor]


@dataclass(kw_only=True)
class MixupInference(Method):
    """Mixes before everything that stands to its right."""

    kind: Literal["ol", "pl", "combined"] = param("ol", "the class of the training images")
    keep: float | None = param(
        None, "λ, share of the image; none: 0.5, in combined 0.4 for ol", low=0, high=1
    )
    draws: int = param(30, "mixtures that are averaged; combined: half of them for ol", low=2)
    few: int = param(5, "combined: mixtures for pl", low=1)
    drop: float = param(0.2, "combined: loss of confidence from which ol decides", low=0, high=1)
    pool: int = param(500, "training images kept of each class", low=1)
    seed: int = param(0, "which images the pool keeps", low=0)
    _pool: Pool | None = field(default=None, init=False, repr=False, compare=False)

    def prepare(self, train: Images) -> None:
        self._pool = Pool(train, self.pool, self.seed)

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        if self._pool is None:
            raise UsageError("mixup-inference needs training images: call prepare(images) first")
        with torch.no_grad():  # the choice of ŷ has no gradient
            alone = rest(model, x)
        guess = alone.argmax(1)
        keep = 0.5 if self.keep is None else self.keep
        average = partial(self._average, model, rest)
        if self.kind == "ol":
            return average(x, partial(self._pool.other, guess), keep, self.draws)
        if self.kind == "pl":
            return average(x, partial(self._pool.same, guess), keep, self.draws)
        out = average(x, partial(self._pool.same, guess), keep, self.few)
        sure, then = (each.softmax(1).gather(1, guess[:, None])[:, 0] for each in (alone, out))
        doubted = (sure - then.detach() >= self.drop).nonzero()[:, 0]
        if not len(doubted):
            return out
        keep = 0.4 if self.keep is None else self.keep
        choose = partial(self._pool.other, guess[doubted])
        again = average(x[doubted], choose, keep, self.draws // 2)
        return out.index_copy(0, doubted, again)

    def _average(
        self, model: Model, rest: Predict, x: Tensor, choose: Choose, keep: float, draws: int
    ) -> Tensor:
        """The mean prediction for `draws` mixtures with images of the classes chosen for each."""
        assert self._pool is not None
        partners = (self._pool.draw(choose()) for _ in range(draws))
        return mean_prediction(ask(model, keep * x + (1 - keep) * s, rest) for s in partners)
