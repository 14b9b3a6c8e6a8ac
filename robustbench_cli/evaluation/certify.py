"""Certified accuracy of a smoothed network: what no attack of a radius can change.

For each image, `n0` noisy copies choose a class and `n` fresh ones count how often the network
answers it. With confidence 1 - alpha, by Clopper & Pearson's one-sided bound, the class has at
least the probability p under noise; if p > ½, no perturbation shorter than σ·Φ⁻¹(p) changes the
answer of the smoothed network. Otherwise it abstains, and that is an error at every radius.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, inf, log
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from foolbox.models.base import Model
from scipy.special import betaincinv, log_ndtr, ndtri
from torch import Tensor, nn

from robustbench_cli import device as devices
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.parts import Part
from robustbench_cli.runs.provenance import provenance
from robustbench_cli.spec import param, shorten

from .attack import Attack, Crafted, Samples
from .isolation import fenced, frozen
from .network import Network, logits
from .plan import Plan
from .recording.record import make_rows, open_parts
from .throughput.batches import Batches
from .throughput.pooling import quick_pools
from .verification.ball import Norm

ABSTAIN = -1
"""The prediction where there is none, or none that holds at a radius."""
MOST_COPIES = 1_000_000
"""More noisy copies than this are suggested to nobody."""


@dataclass(kw_only=True)
class Certifier(Attack):
    """Certifies instead of attacking: epsilons are radii, and no image is made."""

    norm: ClassVar[Norm] = "l2"
    access: ClassVar[Literal["none"]] = "none"
    one_step: ClassVar[bool] = True  # one look at an image answers for every radius

    sigma: float = param(
        0.25,
        "σ, standard deviation of the noise in pixels of [0, 1]",
        low=1e-6,
        unit="one pixel",
    )
    n: int = param(10_000, "noisy copies that estimate", low=1)
    n0: int = param(100, "noisy copies that choose the class", low=1)
    alpha: float = param(0.001, "probability that a certificate is wrong", low=1e-9, high=0.5)
    beyond: bool = param(False, "whether to ask for radii that nothing can be certified for")

    @property
    def settings(self) -> dict[str, Any]:
        """Without `beyond`, on which no certificate depends."""
        return {name: value for name, value in super().settings.items() if name != "beyond"}

    @property
    def reach(self) -> float:
        """The largest radius, of an image whose noisy copies all get one answer; 0 for none."""
        return certified_radius(self.n, self.n, self.sigma, self.alpha)

    def refuse_beyond(self, radii: Sequence[Eps]) -> None:
        """
        Raises:
            UsageError: a radius that no network reaches, unless `beyond`; with what would do.
        """
        reach = self.reach
        wrong = [eps for eps in radii if float(eps) > reach or not reach]
        if self.beyond or not wrong:
            return
        given = f"n={self.n}, alpha={shorten(self.alpha)} and sigma={shorten(self.sigma)}"
        most = f"certify radii up to {reach:.4g} at most" if reach else "certify no radius at all"
        ways = ["smaller epsilons"] if reach else []
        enough = copies_for(float(wrong[-1]), self.sigma, self.alpha)
        ways += [f"n={enough}" if enough <= MOST_COPIES else "a larger sigma"]
        asked = replace(self, beyond=True)
        raise UsageError(
            f"{self}: {given} {most}; type {' or '.join(ways)}, or {asked} to ask all the same"
        )

    def craft(self, model: Model, samples: Samples, eps: float | None) -> Crafted:
        raise UsageError(f"{self.name} makes no images: robustmix attack RUN -a {self}")


class Certificate(NamedTuple):
    """The answer of the smoothed network, or ABSTAIN, and how far it holds."""

    prediction: int
    radius: float


def certify(
    model: nn.Module,
    plan: Plan,
    about: Mapping[str, Any],
    parts: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """The certificates of all images of a plan, and which radius each of them reaches.

    The rows are those of `Evaluation.samples`, with these differences: `clean` is the answer of the
    smoothed network, -1 where it abstains; `prediction` is -1 also where it is right and certified
    for less than `eps`; there is no distance, and one more column, `radius`. The record says
    ``kind: certified``: this is no accuracy under an attack.
    """
    attack = plan.attack
    assert isinstance(attack, Certifier)
    with fenced(), frozen(model), quick_pools(model):
        network = Network(model).eval()
        clean = plan.look(network).clean

        def work(here: slice, tell: Callable[[float, str], None]) -> Part:
            found, before, start = [], network.forwards, perf_counter()
            for i in range(here.start, here.stop):
                # numbers of its own for each image, whatever else is certified
                devices.seed_everything(plan.seed, 5, i)
                x = plan.images[i : i + 1].x
                found.append(certificate(attack, network, x, clean.classes, plan.batches))
                tell((i + 1 - here.start) / (here.stop - here.start), f"image {i + 1}")
            return {
                "certificates": [tuple(each) for each in found],
                "forwards": network.forwards - before,
                "seconds": perf_counter() - start,
                "notes": plan.batches.notes.copy(),
            }

        documents = open_parts(parts, about, clean).each(len(plan.images), work, progress)
    found = [Certificate(*each) for d in documents for each in d["certificates"]]
    return _evaluation(plan, about, documents, found)


def certificate(
    attack: Certifier, network: nn.Module, x: Tensor, classes: int, batches: Batches
) -> Certificate:
    """For one image (1, C, H, W): Cohen, Rosenfeld & Kolter 2019, CERTIFY."""
    guess = int(votes(network, x, attack.sigma, attack.n0, classes, batches).argmax())
    count = int(votes(network, x, attack.sigma, attack.n, classes, batches)[guess])
    radius = certified_radius(count, attack.n, attack.sigma, attack.alpha)
    return Certificate(guess, radius) if radius > 0 else Certificate(ABSTAIN, 0.0)


def votes(
    network: nn.Module, x: Tensor, sigma: float, n: int, classes: int, batches: Batches
) -> Tensor:
    """(classes,) how many of `n` noisy copies of the image (1, C, H, W) are taken for each class.

    A copy to which the network answers NaN counts for none.
    """

    def count(part: slice) -> Tensor:
        copies = x.expand(part.stop - part.start, *x.shape[1:])
        out = logits(network, copies + sigma * torch.randn_like(copies))
        answers = out.argmax(1).masked_fill(out.isnan().any(1), classes)
        return answers.bincount(minlength=classes + 1)

    return torch.stack(batches.map(n, count)).sum(0)[:classes]


def lower_bound(successes: int, n: int, alpha: float) -> float:
    """Of a probability, with confidence 1 - `alpha` (Clopper & Pearson 1934, one-sided)."""
    return float(betaincinv(successes, n - successes + 1, alpha)) if successes else 0.0


def copies_for(radius: float, sigma: float, alpha: float) -> float:
    """The least n for which some image can be certified at a radius; infinity if floats end."""
    share = float(log_ndtr(radius / sigma))  # log Φ: n answers alike vouch for alpha^(1/n)
    return floor(log(alpha) / share) + 1 if share else inf


def certified_radius(successes: int, n: int, sigma: float, alpha: float) -> float:
    """σ·Φ⁻¹(p) for the lower bound p of the probability; 0 unless p > ½."""
    p = lower_bound(successes, n, alpha)
    return sigma * float(ndtri(p)) if p > 0.5 else 0.0


def _evaluation(
    plan: Plan, about: Mapping[str, Any], documents: list[Part], found: list[Certificate]
) -> Evaluation:
    assert isinstance(plan.attack, Certifier)
    labels, n = plan.images.labels.cpu().numpy(), len(found)
    predictions = np.array([each.prediction for each in found], np.int64)
    radii = np.array([each.radius for each in found])
    reached = radii >= np.array([float(eps) for eps in plan.epsilons])[:, None]
    abstained = int((predictions == ABSTAIN).sum())
    rows = make_rows(
        plan.epsilons,
        {
            "label": plan.images.labels,
            "clean": torch.from_numpy(predictions),
            "radius": torch.from_numpy(radii),
        },
        {
            "prediction": np.where((predictions == labels) & ~reached, ABSTAIN, predictions),
            "distance": np.full(reached.shape, np.nan),
            "attacked": np.ones(reached.shape, bool),
        },
    )
    notes = dict.fromkeys(note for d in documents for note in d["notes"])
    record = {
        "kind": "certified",
        "view": "smoothed",
        "parameters": plan.attack.settings,
        "seed": plan.seed,
        "n": n,
        "abstained": abstained,
        "cost": {
            "forwards": sum(d["forwards"] for d in documents) / n,
            "backwards": 0.0,
            "seconds": round(sum(d["seconds"] for d in documents), 3),
        },
        "rejected": [],
        "failed": [],
        "notes": [
            f"certified accuracy of the smoothed network, and no accuracy under an attack; "
            f"abstained on {abstained} of {n} images, which count as errors; no radius above "
            f"{plan.attack.reach:.4g} can be certified with these n, alpha and sigma",
            *notes,
        ],
        "device": devices.describe(plan.images.device),
        **provenance(),
        "identity": dict(about),
    }
    return Evaluation(str(plan.attack), plan.attack.norm, plan.epsilons, rows, record)
