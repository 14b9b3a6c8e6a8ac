"""From a run to what is attacked: the network as it would ship, with its test-time defences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import RunError
from robustbench_cli.models.model import Model, make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.runs import Run
from robustbench_cli.spec import build, build_all

from .method import Method, Predict, overrides

View = Literal["deployed", "bare"]


class Predictor(nn.Module):
    """x (N, C, H, W) in [0, 1] -> logits, through the methods' test-time parts."""

    def __init__(self, model: Model, methods: Sequence[Method]) -> None:
        super().__init__()
        self.model = model
        predict: Predict = lambda model, x: model(x)  # noqa: E731
        for method in reversed(methods):
            predict = partial(method.predict, rest=predict)
        self._predict = predict

    def forward(self, x: Tensor) -> Tensor:
        return self._predict(self.model, x)


def load_predictor(
    run: Run, device: torch.device | None = None, view: View = "deployed"
) -> nn.Module:
    """The finished network of a run, in eval mode.

    `view` says whether test-time defences stand in front of it (``deployed``) or not (``bare``);
    surgery that served training only is undone in both.

    Raises:
        RunError: unfinished, damaged, or its architecture has changed since.
    """
    if not run.finished:
        raise RunError(f"{run.path} is not finished; go on with: robustmix train (same options)")
    config, facts = run.config, run.record.get("data", {})
    try:
        shape, classes = tuple(facts["shape"]), len(facts["classes"])
        architecture = open_architecture(config["model"], trusted=False)
        method = config.get("method_resolved") or config["method"]
        methods = build_all(Method, method, trusted=False)
        dataset = build(Dataset, config["data"], trusted=False)
    except (KeyError, TypeError) as e:
        raise RunError(f"{run.path}/run.json lacks {e}; train the run again") from e
    model = make(architecture, shape, classes)
    for each in methods:
        each.adapt(dataset)
        each.install(model)
    try:
        model.load_state_dict(load_file(run.weights))
    except (OSError, SafetensorError, RuntimeError) as e:
        first = str(e).strip().partition("\n")[0]
        raise RunError(f"{run.weights} does not fit {config['model']}: {first}") from e
    for each in reversed(methods):
        each.deploy(model)
    if device is not None:
        model.to(device)
    acting = [m for m in methods if overrides(m, "predict")]
    predictor = Predictor(model, acting) if acting and view == "deployed" else model
    return predictor.eval()
