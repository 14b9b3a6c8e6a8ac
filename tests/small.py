"""A network small enough for hundreds of trainings, and batches for it."""

from __future__ import annotations

import random

import torch
from torch import nn

from robustbench_cli.models.model import Model
from robustbench_cli.spec import build_all
from robustbench_cli.training.adversarial.adversary import Adversarial
from robustbench_cli.training.adversarial.offline import Corpus, Offline
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.objective import Objective

CLASSES = 4


class Net(nn.Module):
    """Three small convolutional stages with batch norm."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()

        def stage(i: int, o: int) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(i, o, 3, padding=1, bias=False),
                nn.BatchNorm2d(o),
                nn.ReLU(),
                nn.AvgPool2d(2),
            )

        self.one, self.two, self.three = stage(3, width), stage(width, width), stage(width, width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.three(self.two(self.one(x))).mean((2, 3)))


def make_model() -> Model:
    torch.manual_seed(0)
    random.seed(0)
    return Model(Net(), ("two", "three"), "head", [0.5] * 3, [0.25] * 3)


def make_batch(n: int = 8) -> Batch:
    return Batch.of(torch.rand(n, 3, 8, 8), torch.arange(n) % CLASSES, CLASSES)


def quick(text: str) -> list[Method]:
    """The methods of a spec, with inner maximisations of two steps and a corpus of noise."""
    methods = build_all(Method, text)
    for method in methods:
        if isinstance(method, Offline):
            generator = torch.Generator().manual_seed(0)
            x = torch.rand(20, 3, 8, 8, generator=generator)
            method.take(Corpus(x, torch.arange(20) % CLASSES))
        if isinstance(method, Adversarial):
            method.steps = 2
    return methods


def train(methods: list[Method], steps: int = 3) -> tuple[Model, list[float]]:
    model = make_model()
    objective = Objective(model, methods)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model.train()
    losses = []
    for _ in range(steps):
        loss = objective(make_batch()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        for method in methods:
            method.end_epoch(model)
    return model, losses
