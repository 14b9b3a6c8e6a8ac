"""What is to be attacked with what, and its parts: chunks of samples with a seed of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from foolbox.models.base import Model
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor

from robustbench_cli.data.dataset import Images
from robustbench_cli.device import seed_everything
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.runs.parts import Part
from robustbench_cli.spec import build

from .algorithms.targets import choose_targets
from .attack import Attack, Crafted, Others, Samples
from .network import Clean, Network, predict_clean
from .recording.outcomes import Task
from .throughput.batches import Batches


@dataclass(frozen=True)
class Plan:
    """One attack, some images, a grid of epsilons (ascending, each once)."""

    attack: Attack
    images: Images
    epsilons: tuple[Eps, ...]
    batches: Batches
    seed: int

    @classmethod
    def make(
        cls,
        attack: Attack | str,
        images: Images,
        epsilons: Iterable[Eps],
        *,
        batch_size: int | None,
        seed: int,
    ) -> Plan:
        """
        Raises:
            UsageError: no such attack, no image, no epsilon, a negative seed.
        """
        attack = build(Attack, attack) if isinstance(attack, str) else attack
        grid = tuple(sorted({eps.value: eps for eps in epsilons}.values()))
        if not grid:
            raise UsageError("no epsilon to attack with; type --eps 8/255 or --eps-range 0:0.3:0.1")
        if not len(images):
            raise UsageError("no image to attack; type --samples 100, or leave it out for all")
        if seed < 0:
            raise UsageError(f"--seed {seed} is negative; expected 0 or more")
        batches = Batches(batch_size, images.shape, images.device)
        return cls(attack, images, grid, batches, seed)

    def look(self, network: Network) -> Victim:
        """What `network` says of the images before anything is done to them."""
        seed_everything(self.seed, 1)  # for networks that draw random numbers
        clean = predict_clean(network, self.images, self.batches)
        goals = choose_targets(self.attack, self.images, clean, self.seed)
        return Victim(network, clean, goals)

    def chunk(self, victim: Victim, here: slice, tell: Callable[[float, str], None]) -> Chunk:
        """The samples `here`, to be attacked on `victim`."""
        part, clean, goals = self.images[here], victim.clean.prediction, victim.goals
        others = Others(self.images, clean)
        samples = Samples(part.x, part.labels, None if goals is None else goals[here], others)

        def tick(row: int) -> None:
            tell((row + 1) / (len(self.epsilons) + 1), f"eps {self.epsilons[row]}")

        seen = victim.crafting or victim.network
        model = PyTorchModel(seen, bounds=(0, 1), device=part.device)
        return Chunk(
            self,
            model,
            victim.network,
            samples,
            clean[here],
            here.start,
            crafting=victim.crafting,
            tick=tick,
            tell=tell,
        )


@dataclass(frozen=True)
class Victim:
    """A network, its answers to the unchanged images, and the classes that an attack aims at.

    `crafting`: a faster copy that the attack sees in its place.
    """

    network: Network
    clean: Clean
    goals: Tensor | None  # (N,)
    crafting: Network | None = None


@dataclass(frozen=True)
class Chunk:
    """Some hundred consecutive samples, and all that is needed to attack them.

    `model` is what the attack sees, `network` what has the last word, `crafting` the network of
    `model` where that is a faster copy. `tick` is told the row of an epsilon when it is finished,
    `tell` the share of the chunk that is. `step` does a named part of the work, or knows what came
    of it when it was done before.
    """

    plan: Plan
    model: Model
    network: Network
    samples: Samples
    clean: Tensor  # (n,)
    first: int  # the index of the first sample
    crafting: Network | None = None
    tick: Callable[[int], None] = lambda row: None
    tell: Callable[[float, str], None] = lambda share, moment: None
    step: Callable[[str, Callable[[], Part]], Part] = lambda name, work: work()

    @property
    def networks(self) -> list[Network]:
        """All that this may ask."""
        return [self.network, *([self.crafting] if self.crafting else [])]

    @property
    def asked(self) -> tuple[int, int]:
        """Forwards and backwards so far, of all that were asked."""
        networks = self.networks
        return sum(n.forwards for n in networks), sum(n.backwards for n in networks)

    @property
    def exact(self) -> bool:
        """Whether the attack sees the very network that has the last word."""
        return self.crafting is None

    def index(self, places: Sequence[int]) -> Tensor:
        """On the device of the samples; nobody waits."""
        device = self.samples.x.device
        return torch.tensor(places, dtype=torch.long).to(device, non_blocking=True)

    def balls(self, tasks: Sequence[Task]) -> tuple[Samples, Tensor]:
        """The samples of tasks, and their radii: (n,), float64, on the host."""
        radii = [float(self.plan.epsilons[task.row]) for task in tasks]
        samples = self.samples[self.index([task.position for task in tasks])]
        return samples, torch.tensor(radii, dtype=torch.float64)

    def craft(
        self, batch: Samples, offset: int, rows: Sequence[int]
    ) -> Iterator[tuple[int, float | None, Crafted]]:
        """Row, epsilon and images for one batch; row -1 stands for no epsilon.

        The random numbers depend on the work (`offset` is its place in the chunk), and not on
        what was done before it.
        """
        epsilons = self.plan.epsilons
        name = int(hashlib.sha256(str(self.plan.attack).encode()).hexdigest()[:8], 16)
        value = (0, 0) if rows[0] < 0 else epsilons[rows[0]].value.as_integer_ratio()
        seed_everything(self.plan.seed, name, self.first, offset, *value)
        budgets = [float(epsilons[row]) if row >= 0 else None for row in rows]
        found = self.plan.attack.craft_grid(self.model, batch, budgets)
        yield from zip(rows, budgets, found, strict=True)
