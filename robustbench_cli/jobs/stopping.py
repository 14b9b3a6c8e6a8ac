"""Which epoch is kept: how well the network withstands the attack of ``stop_on`` by then."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import nn

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.spec import build, build_all, shorten
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.loop.early_stopping import Watch
from robustbench_cli.training.method import Method

from .attack_config import make_attack_config


def with_stopping(config: TrainConfig) -> TrainConfig:
    """`config` with ``stop_on`` in its canonical spelling and ``stop_eps`` filled in.

    Raises:
        UsageError: no such attack, or a radius that cannot be meant.
    """
    if not config.stop_on:
        return config
    eps = Eps.parse(config.stop_eps or _radius(config, build(Attack, config.stop_on).norm))
    probe = make_attack_config(config.stop_on, config.data, (eps,))
    return replace(config, stop_on=probe.attack, stop_eps=str(probe.epsilons[0]))


def _radius(config: TrainConfig, norm: str) -> str:
    """That of the first method which trains in this norm; else what is usual for the data set."""
    for method in build_all(Method, config.method_resolved, trusted=False):
        eps = getattr(method, "eps", None)
        if eps and getattr(method, "norm", None) == norm:
            return shorten(eps)
    return build(Dataset, config.data, trusted=False).usual_eps(norm, "train_eps")


def watch(config: TrainConfig) -> Watch | None:
    """Measures accuracy under the attack of ``stop_on``; None where there is none."""
    return partial(_withstood, config) if config.stop_on else None


def _withstood(config: TrainConfig, model: nn.Module, images: Images) -> float:
    eps = Eps.parse(config.stop_eps or "0")
    found = evaluate_model(model, images, config.stop_on or "", [eps], seed=config.seed)
    return float(found.accuracy()["accuracy"].iloc[-1])
