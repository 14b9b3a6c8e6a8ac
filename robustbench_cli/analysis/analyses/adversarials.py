"""Single adversarials: the clean image, the adversarial, and whether it survives 8 bits.

The first `images` test images that are classified correctly are attacked with `attack` (its spec's
commas written as +) at each of `eps`. Every adversarial is verified as in evaluations: finite, in
the ball, in [0, 1], misclassified in another batch. It is then rounded to multiples of 1/255 (to
the next one towards the image, where it would leave the ball otherwise) and shown to the network
again: what still fools it can be saved as a PNG. A minimal-norm attack is run once, and has an
empty eps.

Rows: index, eps, label, prediction, confidence (of the prediction), clean_confidence (of the
label), adversarial (verified), distance, survives (still misclassified after rounding), rounded
(the class then), norm, shape, and the pixels as base64: clean and image float32, saved uint8.
`robustmix analyse RUN -n adversarials -o FOLDER/` writes the pictures, the PNGs and an .npz.
Cost: that of the attack, and four forwards.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustbench_cli.analysis.analysis import Analysis, Columns, Subject, Tell
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.algorithms.wrapping import read
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.certify import Certifier
from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.plan import Plan
from robustbench_cli.evaluation.verification.eight_bit import rounded
from robustbench_cli.evaluation.verification.verify import verify
from robustbench_cli.runs.analysed import Number
from robustbench_cli.spec import param
from robustbench_cli.spec.pixels import refuse_unscaled


@dataclass(kw_only=True)
class Adversarials(Analysis):
    attack: str = param("linf-pgd", "spec of the attack, its parameters joined by +")
    eps: str | None = param(None, "epsilons, as 8/255 or 0.1,0.2; none: the data set's usual one")
    images: int = param(8, "how many test images", low=1, high=1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self._attack, Certifier):
            raise UsageError(f"{self.name}: {self.attack} makes no adversarials")
        for eps in grid([self.eps] if self.eps else ()):
            refuse_unscaled(f"{self.name}: eps=", float(eps), self._attack.norm, str(eps))

    def adapt(self, dataset: Dataset) -> None:
        if self.eps is None and self._attack.budget:
            self.eps = dataset.usual_eps(self._attack.norm)

    @property
    def _attack(self) -> Attack:
        return read(self.attack)

    def choose(self, subject: Subject) -> Tensor:
        return subject.classified(self.images)

    def look(self, subject: Subject, chosen: Tensor, tell: Tell) -> Columns:
        attack, image = self._attack, subject.test[chosen]
        if attack.budget and self.eps is None:
            raise UsageError(f"{self.name} needs eps=8/255 where no data set names one")
        epsilons: list[Eps | None] = list(grid([self.eps or "0"])) if attack.budget else [None]
        plan = Plan.make(
            attack,
            image,
            [e for e in epsilons if e] or grid(["0"]),
            batch_size=None,
            seed=subject.seed,
        )
        victim = plan.look(subject.network)
        chunk = plan.chunk(victim, slice(0, len(image)), tell)
        parts = []
        for row, eps in enumerate(epsilons):
            ((_, radius, made),) = chunk.craft(chunk.samples, 0, [row if eps else -1])
            verdict = verify(
                chunk.network,
                chunk.samples,
                made.images,
                norm=attack.norm,
                eps=radius,
                claimed=made.claimed,
            )
            images = made.images.detach().float()
            parts.append(
                {
                    "index": chosen.cpu().numpy(),
                    "eps": np.full(len(image), eps.text if eps else "", dtype=object),
                    "label": image.labels.cpu().numpy(),
                    **_answers(subject, image.x, image.labels, images),
                    "adversarial": verdict.adversarial,
                    "distance": verdict.distance,
                    **_saved(subject, image.x, image.labels, images, attack, radius),
                    "clean": _encoded(image.x),
                    "image": _encoded(images),
                }
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def numbers(self, table: pd.DataFrame) -> list[Number]:
        found = []
        for eps in table["eps"].unique():
            rows = table[table["eps"] == eps]
            at = f", ε={eps}" if eps else ""
            fooled = rows[rows["adversarial"]]
            lasting = float(fooled["survives"].mean()) if len(fooled) else float("nan")
            found += [
                Number(f"adversarial{at}", float(rows["adversarial"].mean()), "share", len(rows)),
                Number(f"survive 8 bits{at}", lasting, "share", len(fooled) or None),
            ]
        return found


def _answers(subject: Subject, x: Tensor, labels: Tensor, images: Tensor) -> dict[str, np.ndarray]:
    before, after = (logits(subject.network, part).softmax(1) for part in (x, images))
    confidence, prediction = after.max(1)
    return {
        "prediction": prediction.cpu().numpy(),
        "confidence": confidence.cpu().numpy(),
        "clean_confidence": before.gather(1, labels[:, None])[:, 0].cpu().numpy(),
    }


def _saved(
    subject: Subject,
    x: Tensor,
    labels: Tensor,
    images: Tensor,
    attack: Attack,
    radius: float | None,
) -> dict[str, np.ndarray]:
    """The image as a file would hold it, and what the network says of that."""
    whole = (rounded(x, images, attack.norm, radius) * 255).round().clamp(0, 255).byte()
    prediction = logits(subject.network, whole.float().div(255)).argmax(1)
    n, shape = len(x), "x".join(map(str, x.shape[1:]))
    return {
        "survives": (prediction != labels).cpu().numpy(),
        "rounded": prediction.cpu().numpy(),
        "norm": np.full(n, attack.norm, dtype=object),
        "shape": np.full(n, shape, dtype=object),
        "saved": _encoded(whole),
    }


def _encoded(images: Tensor) -> np.ndarray:
    """(n,) text: the bytes of each image, channel by channel, row by row, as base64."""
    whole = images.detach().to(torch.uint8 if images.dtype == torch.uint8 else torch.float32)
    texts = [b64encode(one.tobytes()).decode("ascii") for one in whole.cpu().contiguous().numpy()]
    return np.array(texts, dtype=object)
