"""Transfer: adversarials crafted on another network, without a look at the one under attack.

Papernot et al. 2016, "Transferability in Machine Learning", arXiv:1605.07277. A network that falls
to foreign adversarials more often than to its own gradients hides its gradients.

    x' = attack(x) on the network of `source`, a run directory

Every sample is scored, also where x' does not fool the source. Written as
`transfer:source=runs/other,attack=linf-pgd:steps=20+restarts=2`; the inner attack must look inside
a given ball. `source=runs/a+runs/b` is the mean of two networks' logits. For a matrix of many
networks use `robustmix transfer`, which crafts each batch once.
Cost per epsilon: one forward of the attacked network; the source's are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from foolbox.models.base import Model
from foolbox.models.pytorch import PyTorchModel

from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.borrowing import Borrowing
from robustbench_cli.evaluation.attack import Crafted, Samples
from robustbench_cli.evaluation.isolation import frozen
from robustbench_cli.evaluation.network import Network


@dataclass(kw_only=True)
class Transfer(Borrowing):
    positional: ClassVar[str | None] = "source"

    source: str = field(metadata={"about": "run directory of the network to craft on"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inner.budget:
            raise UsageError(
                f"{self.name}: {self.inner.name} seeks the nearest adversarial of the source, "
                "which is no budget; name an attack such as linf-pgd"
            )
        vars(self)["access"] = "none"

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        return next(self.craft_grid(model, samples, [eps]))

    def craft_grid(
        self, model: Model, samples: Samples, epsilons: Sequence[float | None]
    ) -> Iterator[Crafted]:
        """The inner attack's images, without its claims: they are about the source."""
        source = Network(self.borrowed())
        with frozen(source):
            seen = PyTorchModel(source, bounds=(0, 1), device=samples.x.device)
            for found in self.inner.craft_grid(seen, samples, epsilons):
                yield replace(found, claimed=None)
