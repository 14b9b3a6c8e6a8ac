"""One attack over a grid of epsilons, as each library's users write it.

Each function takes a network, images and epsilons and returns which sample is broken at which
epsilon, (epsilons, n). torchattacks and ART attack one epsilon per call; both are optional:
``pip install torchattacks adversarial-robustness-toolbox``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from robustbench_cli.data.dataset import Images

Broken = np.ndarray


def foolbox(tool: Any, network: nn.Module, images: Images, grid: Sequence[float]) -> Broken:
    return foolbox_distances(tool, network, images, grid)[0]


def foolbox_distances(
    tool: Any, network: nn.Module, images: Images, grid: Sequence[float]
) -> tuple[Broken, np.ndarray]:
    """Also how far each image is that was found for the largest epsilon, (n,), before Foolbox
    clips it to that ball."""
    import foolbox as fb

    model = fb.PyTorchModel(network, bounds=(0, 1), device="cpu")
    raw, _, hit = tool(model, images.x, images.labels, epsilons=list(grid))
    return hit.numpy(), (raw[-1] - images.x).flatten(1).norm(dim=1).numpy()


def torchattacks(steps: int, network: nn.Module, images: Images, grid: Sequence[float]) -> Broken:
    import torchattacks as ta

    def attack(eps: float) -> Any:
        if steps == 1:
            return ta.FGSM(network, eps=eps)
        return ta.PGD(network, eps=eps, alpha=2.5 * eps / steps, steps=steps)

    return np.stack([_wrong(network, attack(e)(images.x, images.labels), images) for e in grid])


def art(steps: int, network: nn.Module, images: Images, grid: Sequence[float]) -> Broken:
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    x = images.x.numpy()
    classifier = PyTorchClassifier(
        network, nn.CrossEntropyLoss(), x.shape[1:], 10, clip_values=(0, 1), device_type="cpu"
    )

    def craft(eps: float) -> torch.Tensor:
        if eps == 0:
            return images.x
        if steps == 1:
            attack = FastGradientMethod(classifier, eps=eps, batch_size=len(x))
        else:
            attack = ProjectedGradientDescentPyTorch(
                *(classifier, np.inf, eps, 2.5 * eps / steps),
                max_iter=steps,
                num_random_init=1,
                batch_size=len(x),
                verbose=False,
            )
        return torch.from_numpy(attack.generate(x, images.labels.numpy()))

    return np.stack([_wrong(network, craft(e), images) for e in grid])


def _wrong(network: nn.Module, x: torch.Tensor, images: Images) -> Broken:
    network.eval()
    with torch.no_grad():
        return (network(x).argmax(1) != images.labels).numpy()


OTHERS: dict[str, Callable[[int, nn.Module, Images, Sequence[float]], Broken]] = {
    "torchattacks": torchattacks,
    "art": art,
}
"""By name: the number of steps (1: FGSM), network, images and epsilons."""
