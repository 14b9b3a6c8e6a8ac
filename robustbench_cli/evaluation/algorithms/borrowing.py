"""Attacks that need the network of another run, the directory `source`.

`robustmix attack` opens it; in Python, hand the network to the attack's `lend(network)` first.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from robustbench_cli.errors import UsageError

from .wrapping import Wrapping


@dataclass(kw_only=True)
class Borrowing(Wrapping):
    """Crafts on the network of the run directory `source`.

    Evaluations do not open runs; who asks for one calls `lend` first.
    """

    source: str

    def lend(self, network: nn.Module) -> None:
        """`network`: pixels (N, C, H, W) in [0, 1] -> logits (N, classes)."""
        vars(self)["_network"] = network

    def borrowed(self) -> nn.Module:
        """
        Raises:
            UsageError: nobody has lent a network.
        """
        network = vars(self).get("_network")
        if not isinstance(network, nn.Module):
            raise UsageError(
                f"{self}: the network of {self.source} is not at hand here; use robustmix attack, "
                "or call the attack's lend(network)"
            )
        return network
