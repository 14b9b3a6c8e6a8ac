"""Train on the images that projected gradient ascent finds hardest in a ball around each.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018,
arXiv 1706.06083. min E max_{‖δ‖≤ε} CE(f(x+δ), y), random start. The authors: ε 0.3, 40 steps of
0.01 on MNIST; ε 8/255, 7 (paper) or 10 (code) steps of 2/255 on CIFAR-10, attacking the network in
train mode (`attack-bn=train`; here `eval`). `clean` adds a share of the loss on clean images;
`pgd-at:clean=0.5+mixup` is interpolated adversarial training (Lamb et al., 2019).
Cost per step: steps+1 forwards and backwards; one more of each with `clean`.
"""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step
from robustbench_cli.training.objective import cross_entropy


@dataclass(kw_only=True)
class PGDTraining(Adversarial):
    """Replaces the batch by its adversarial counterpart."""

    clean: float = param(0.0, "share of the loss on clean images", low=0, high=1)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        x = self.perturb(model, batch.x, lambda logits: cross_entropy(logits, batch.y))
        adversarial = rest(model, batch.replace(x=x))
        if not self.clean:
            return adversarial
        natural = rest(model, batch)
        loss = self.clean * natural.loss + (1 - self.clean) * adversarial.loss
        return natural._replace(loss=loss)
