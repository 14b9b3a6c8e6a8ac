"""At test time: let many noisy copies of the image vote (randomized smoothing).

Cohen, Rosenfeld & Kolter, "Certified Adversarial Robustness via Randomized Smoothing", ICML 2019,
arXiv 1902.02918. g(x) = the class that f most often gives to x + N(0, σ²I), here for `n` draws, not
clamped. The answer is the logarithm of each class's share of the votes, ties decided by the mean
probability. It never abstains; the certificate of g does: `robustmix attack RUN -a certify`. Train
the network with `noise` of the same σ, or it knows no noisy images.
`vote=soft` averages probabilities instead, which no certificate here speaks of. Counting votes has
no gradient; an attack sees that of the mean probability (Salman et al. 2019, arXiv 1906.04584), in
both.
Cost per prediction: `n` forwards. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.defences.averaging import ask, mean_prediction
from robustbench_cli.training.defences.surrogate import replace_value
from robustbench_cli.training.method import Method, Predict


@dataclass(kw_only=True)
class Smoothing(Method):
    """Votes over noisy copies of what everything to its right answers."""

    sigma: float = param(0.25, "σ, standard deviation in pixels of [0, 1]", low=0, unit="one pixel")
    n: int = param(100, "noisy copies that vote", low=1)
    vote: Literal["hard", "soft"] = param("hard", "count classes, or average probabilities")

    def predict(self, model: Model, x: Tensor, rest: Predict) -> Tensor:
        noisy = (x + self.sigma * torch.randn_like(x) for _ in range(self.n))
        answers = [ask(model, each, rest) for each in noisy]
        soft = mean_prediction(answers)
        if self.vote == "soft":
            return soft
        votes = sum(F.one_hot(each.argmax(1), each.shape[1]) for each in answers)
        shares = (votes + soft.detach().exp()) / (self.n + 1)
        return replace_value(soft, shares.clamp(min=torch.finfo(soft.dtype).tiny).log())
