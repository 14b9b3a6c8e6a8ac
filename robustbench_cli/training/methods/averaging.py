"""At test time: average the probabilities of several predictions of what stands to the right.

F(x) = mean of softmax over `draws` predictions. It makes no randomness of its own: it joins random
defences that each draw once, `averaging:draws=30+rotation:draws=1+noisy-inference:draws=1`, which
is 30 forwards instead of 900. In front of a network that answers the same each time it changes
nothing.
Cost per prediction: `draws` forwards. Training is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_cli.training.defences.averaging import Averaged


@dataclass(kw_only=True)
class Averaging(Averaged):
    """Asks again and averages."""
