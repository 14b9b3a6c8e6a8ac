"""Train on images moved by one large step from a random point of the ball, and on no others.

Wong, Rice & Kolter, "Fast is better than free", ICLR 2020, arXiv 2001.03994. δ ~ U(-ε, ε), then
δ ← clip(δ + 1.25ε sign ∇CE, ±ε), every image clipped to [0, 1]. The authors: 8/255 with a step of
10/255, and 0.3 with 0.375; cyclic rates; the network attacked in train mode (`attack-bn=train`;
here `eval`). Steps of 2ε, or no random start, bring catastrophic overfitting sooner: within one
epoch the network learns to fool one-step attacks only.
`guard`: after each epoch the first batch of the epoch is attacked with PGD-5 (steps of ε/4) and
with FGSM; history.csv gets both accuracies. When PGD accuracy falls by more than `drop`, a warning
is logged and `restore` goes on from the last good epoch's weights, `stop` keeps those for good (the
authors end the run there; here its other epochs pass without effect), `warn` only tells. The
optimiser's momentum and the learning rate are not turned back.
Cost per step: 2 forwards, 2 backwards.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Bounded, Mode, attacking
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.hooks import eval_mode
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class FastTraining(Bounded):
    """Replaces the batch, and watches whether robustness collapses."""

    step_ratio: float = param(1.25, "length of the step, in units of eps", low=0)
    random_start: bool = param(True, "start at a uniformly drawn point of the ball")
    attack_bn: Mode = param("eval", "mode of the network under attack")
    guard: Literal["restore", "stop", "warn", "off"] = param(
        "restore", "what a collapse of the robust accuracy leads to"
    )
    drop: float = param(0.2, "fall of the PGD-5 accuracy that counts as a collapse", low=0, high=1)
    watched: Batch | None = field(default=None, init=False, repr=False, compare=False)
    good: dict[str, Tensor] | None = field(default=None, init=False, repr=False, compare=False)
    accuracy: float = field(default=0.0, init=False, repr=False, compare=False)  # of `good`
    stopped: bool = field(default=False, init=False, repr=False, compare=False)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        if self.stopped:
            outcome = rest(model, batch)
            return outcome._replace(loss=0 * outcome.loss)
        if self.watched is None:  # the first batch of the epoch
            self.watched = Batch(batch.x.detach(), batch.y)
        with attacking(model, self.attack_bn):
            x = self._attack(model, batch, self.step_ratio * self.radius, 1, self.random_start)
        return rest(model, batch.replace(x=x))

    def end_epoch(self, model: Model) -> dict[str, float]:
        batch, self.watched = self.watched, None
        if self.stopped and self.good:
            model.load_state_dict(self.good)
        if batch is None or self.guard == "off":
            return {}
        fgsm = self._accuracy(model, batch, self.radius, 1)
        pgd = self._accuracy(model, batch, self.radius / 4, 5)
        collapsed = self.good is not None and pgd < self.accuracy - self.drop
        if collapsed:
            _log.warning(
                "%s: PGD-5 accuracy fell from %.2f to %.2f in one epoch (FGSM: %.2f): catastrophic "
                "overfitting%s",
                *(self.name, self.accuracy, pgd, fgsm),
                "" if self.guard == "warn" else "; the last good epoch's weights are back",
            )
        if collapsed and self.guard != "warn" and self.good:
            model.load_state_dict(self.good)
            self.stopped = self.guard == "stop"
        else:
            self.accuracy = pgd
            self.good = {k: v.detach().clone() for k, v in model.state_dict().items()}
        return {"fgsm": fgsm, "pgd": pgd, "collapsed": float(collapsed)}

    def _attack(self, model: Model, batch: Batch, step: float, steps: int, random: bool) -> Tensor:
        x, eps = batch.x.detach(), self.radius
        start = self.inside(x, self.start(x, eps), eps) if random else x
        return self.ascend(model, x, lambda z: cross_entropy(z, batch.y), start, step, steps)

    def _accuracy(self, model: Model, batch: Batch, step: float, steps: int) -> float:
        """Share of the batch that survives an attack in eval mode; FGSM starts at the image."""
        with eval_mode(model):
            x = self._attack(model, batch, step, steps, random=steps > 1)
            with torch.no_grad():
                right = model(x).argmax(1) == batch.y.argmax(1)
        return float(right.float().mean())
