"""Train on a stored corpus of adversarial images, made once by attacking another network.

A. H. Meyer, MSc thesis, RIT 2022. A trained baseline (`source`, a run) is attacked on the training
images, and what fools it is kept, verified: the baseline scores 0 % on the corpus. An identical
network is then trained from scratch: in each batch the first ⌊`blend`·B⌋ images give way to images
of the corpus, drawn uniformly with replacement (they are not cropped or flipped); 0.5 was best
there, 1 trains on the corpus alone, 0 is plain training. The corpus lies in `corpus/` of the
source's run directory: images, their indices and labels, and beside them the attack, norm, radius
and the digests of source and images; it is made anew when one of these changes. Only training
images are attacked, never held-out or test images. `attack` takes default parameters or one
parameter (linf-pgd:steps=10).
The images are static and transferred, unlike in Madry's training, which attacks the network as it
learns: expect robustness to the corpus, and little to an attack on the network itself.
Cost per step: 1 forward, 1 backward; once, the attack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import param
from robustbench_cli.training.adversarial.offline import Offline
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.method import Step


@dataclass(kw_only=True)
class CorpusTraining(Offline):
    """Replaces a part of each batch."""

    resamples: ClassVar[bool] = True
    blend: float = param(0.5, "share of the batch that comes from the corpus", low=0, high=1)

    def step(self, model: Model, batch: Batch, rest: Step) -> Outcome:
        count = int(self.blend * len(batch) + 1e-9)
        if not count:
            return rest(model, batch)
        if self.corpus is None:
            raise UsageError(f"{self.name} has no corpus; train it by a job, or call take() first")
        images, labels = self.corpus
        drawn = torch.randint(len(labels), (count,)).to(labels.device)  # on any device the same
        y = F.one_hot(labels[drawn], batch.y.shape[1]).to(batch.y.dtype)
        x = torch.cat([images[drawn].to(batch.x.dtype), batch.x[count:]])
        return rest(model, Batch(x, torch.cat([y, batch.y[count:]])))
