"""What may stand between two layers, by the name that is typed."""

from __future__ import annotations

from typing import Literal

from torch import nn

Activation = Literal["relu", "leaky-relu", "elu", "gelu", "silu", "sigmoid", "softplus", "tanh"]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}
