"""No adversarial counts before it has been checked again, without the attack.

An image is counted if it is finite, inside [0, 1] (to 1e-6), inside the ball (to 1e-6 of its
radius, in float64), and still misclassified, or at its target, by the original network in eval
mode and float32, in another batch: reversed, cut elsewhere, behind an unchanged image. Inside
`eight_bit()` all of this must hold of the image rounded to multiples of 1/255, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.network import Network, logits

from .ball import TOLERANCE, Norm, distance, inside
from .eight_bit import is_wanted, rounded


@dataclass(frozen=True)
class Verdict:
    """What was found about n images.

    adversarial: (n,) bool. prediction: (n,), meaningful where adversarial. distance: (n,) float64.
    rejected: why a claim was not counted, by position.
    """

    adversarial: np.ndarray
    prediction: np.ndarray
    distance: np.ndarray
    rejected: dict[int, str]


def verify(
    network: Network,
    samples: Samples,
    images: Tensor,
    *,
    norm: Norm,
    eps: float | Tensor | None,
    claimed: Tensor | None = None,
) -> Verdict:
    """Check `images`, which an attack made of `samples` for the ball of radius `eps`.

    `eps`: one for all, or (n,); None: any distance will do (minimal-norm attacks). Without
    `claimed`, every image that is misclassified counts as claimed. An image that is not finite is
    always listed.

    Raises:
        RunError: images of another shape than the samples.
    """
    images = images.detach().to(samples.x)
    found = _judge(network, samples, images, norm, eps, claimed)
    if not (is_wanted() and found.adversarial.any()):
        return found
    sound = torch.from_numpy(found.adversarial).to(samples.x.device)
    whole = torch.where(sound[:, None, None, None], rounded(samples.x, images, norm, eps), images)
    saved = _judge(network, samples, whole, norm, eps, sound)
    lost = {i: f"as 8-bit pixels: {why}" for i, why in saved.rejected.items()}
    return replace(saved, rejected=dict(sorted({**lost, **found.rejected}.items())))


def _judge(
    network: Network,
    samples: Samples,
    images: Tensor,
    norm: Norm,
    eps: float | Tensor | None,
    claimed: Tensor | None,
) -> Verdict:
    distances, flaws = examine(samples, images, norm=norm, eps=eps)
    n = len(samples)
    sound = np.array([i not in flaws for i in range(n)], dtype=bool)
    finite = np.isfinite(distances)
    asked = finite if claimed is None else sound & claimed.cpu().numpy()
    prediction = np.full(n, -1, dtype=np.int64)
    where = torch.from_numpy(asked.nonzero()[0]).to(samples.x.device)
    prediction[asked] = recheck(network, samples.x, images, where)
    answered = prediction >= 0
    goal = samples.reached(torch.from_numpy(prediction).to(samples.x.device)).cpu().numpy()
    reached = answered & goal
    claims = reached if claimed is None else claimed.cpu().numpy()
    rejected = {i: why for i, why in flaws.items() if claims[i] or not finite[i]}
    for i in (claims & sound & ~reached).nonzero()[0]:
        rejected[int(i)] = _unreached(samples, int(prediction[i]))
    return Verdict(claims & sound & reached, prediction, distances, dict(sorted(rejected.items())))


def examine(
    samples: Samples, images: Tensor, *, norm: Norm, eps: float | Tensor | None
) -> tuple[np.ndarray, dict[int, str]]:
    """The distances (n,) float64, and what is wrong with an image whatever a network says of it."""
    if images.shape != samples.x.shape:
        raise RunError(
            f"the attack returned {tuple(images.shape)} for {tuple(samples.x.shape)}; "
            "an attack must keep the shape of its images"
        )
    distances = distance(samples.x, images, norm)
    low, high = images.flatten(1).aminmax(dim=1)
    flaws: dict[int, str] = {}
    if eps is not None:
        for i in (~inside(distances, eps)).nonzero()[:, 0].tolist():
            flaws[i] = f"outside the ball: {norm} distance {float(distances[i]):.9g}"
    outside = (low < -TOLERANCE) | (high > 1 + TOLERANCE)
    flaws |= {i: "pixels outside [0, 1]" for i in outside.nonzero()[:, 0].tolist()}
    infinite = ~(low.isfinite() & high.isfinite())
    flaws |= {i: "pixels that are not finite" for i in infinite.nonzero()[:, 0].tolist()}
    return distances.cpu().numpy(), flaws


def recheck(network: Network, x: Tensor, images: Tensor, where: Tensor) -> np.ndarray:
    """The classes of ``images[where]``, -1 where the network answers NaN, in another batch."""
    network.eval()  # whatever an attack did to it
    where = where.flip(0)
    found = [np.empty(0, dtype=np.int64)]
    for part in torch.split(where, len(x) // 2 + 1):
        out = logits(network, torch.cat([x[:1], images[part]]))[1:]
        prediction = out.argmax(1).masked_fill(out.isnan().any(1), -1)
        found.append(prediction.cpu().numpy())
    return np.concatenate(found)[::-1]


def _unreached(samples: Samples, prediction: int) -> str:
    if prediction < 0:
        return "the network answers NaN"
    wanted = "misclassified" if samples.targets is None else "taken for its target"
    return f"not {wanted} when checked again: class {prediction}"
