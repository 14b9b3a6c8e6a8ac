"""From a run to what is attacked: the network as it would ship, with its test-time defences.

Defences that act at test time only change no weights, so they can also be put before a run that
was trained without them. They stand to the right of the run's own methods, as if it had been
trained with `METHOD+DEFENCE`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.models.ensemble import Ensemble
from robustbench_cli.models.model import Model, make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.runs.given import RunLike, one_run
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build, build_all, find, names

from .method import Method, Predict, overrides
from .objective import check

View = Literal["deployed", "bare"]


TRAINING = ("install", "step", "targets", "end_epoch", "deploy", "steps_per_batch")
"""What a method that acts at test time only leaves alone."""


class Predictor(nn.Module):
    """x (N, C, H, W) in [0, 1] -> logits, through the methods' test-time parts.

    `forwards` counts the images that were shown to the network itself; without gradients, as many
    as the defences ask for.
    """

    def __init__(self, model: Model, methods: Sequence[Method]) -> None:
        super().__init__()
        self.model, self.methods, self.forwards = model, tuple(methods), 0
        predict: Predict = self._ask
        for method in reversed(methods):
            predict = partial(method.predict, rest=predict)
        self._predict = predict

    def forward(self, x: Tensor) -> Tensor:
        return self._predict(self.model, x)

    def _ask(self, model: Model, x: Tensor) -> Tensor:
        self.forwards += len(x)
        out: Tensor = model(x)
        return out


def load_predictor(
    run: RunLike,
    device: torch.device | None = None,
    view: View = "deployed",
    *,
    defence: str | None = None,
    train: Callable[[], Images] | None = None,
) -> nn.Module:
    """The finished network of a run, in eval mode.

    Args:
        view: with test-time defences in front of it (``deployed``) or without (``bare``); surgery
            that served training only is undone in both.
        defence: more of them, as ``jpeg`` or ``rotation+jpeg``, in the deployed view.
        train: loads the images that the run was trained on, for defences that draw from them;
            called only for those.

    Raises:
        RunError: unfinished, damaged, or its architecture has changed since.
        UsageError: a defence that is none, or one without the training images that it needs.
    """
    run = one_run(run, "load_predictor")
    if not run.finished:
        raise RunError(f"{run.path} is not finished; go on with: robustmix train (same options)")
    model, methods = _members(run, view) if run.record.get("members") else _network(run)
    if device is not None:
        model.to(device)
    methods += build_defences(defence, trusted=False)
    check(methods)
    acting = [m for m in methods if overrides(m, "predict")] if view == "deployed" else []
    for each in acting:
        if overrides(each, "prepare"):
            if train is None:
                raise UsageError(f"{each.name} needs training images; give load_predictor train=")
            images = train()
            each.prepare(images if device is None else images.to(device))
    return (Predictor(model, acting) if acting else model).eval()


def _network(
    run: Run, config: Mapping[str, Any] | None = None, prefix: str = ""
) -> tuple[Model, list[Method]]:
    """The network of a run, and its methods; or a member's, by its config and place in the file."""
    config, facts = config or run.config, run.record.get("data", {})
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
        with safe_open(run.weights, framework="pt") as file:
            own = [name for name in sorted(file.keys()) if name.startswith(prefix)]
            model.load_state_dict({n.removeprefix(prefix): file.get_tensor(n) for n in own})
    except (OSError, SafetensorError, RuntimeError) as e:
        reason = textwrap.shorten(str(e).partition("Model:")[2] or str(e), 160)
        raise RunError(
            f"{run.weights} does not fit {config['model']} with {method}: {reason}; damaged, or "
            "written by another version; train the run again with --force"
        ) from e
    for each in reversed(methods):
        each.deploy(model)
    return model, methods


def _members(run: Run, view: View) -> tuple[Model, list[Method]]:
    """All networks of an ensemble as one, each seen in the same view; it has no methods itself."""
    seen: list[nn.Module] = []
    for number, member in enumerate(run.record["members"]):
        model, methods = _network(run, member["config"], f"{number}.")
        acting = [m for m in methods if overrides(m, "predict")] if view == "deployed" else []
        seen.append(Predictor(model, acting) if acting else model)
    channels = run.record["data"]["shape"][0]
    network = Ensemble(seen, run.config["mean"])
    return Model(network, (), "", [0.0] * channels, [1.0] * channels), []


def build_defences(text: str | None, *, trusted: bool = True) -> list[Method]:
    """The methods of ``SPEC+SPEC``; none for None or ``plain``.

    Raises:
        UsageError: one of them acts in training.
    """
    methods = build_all(Method, text or "plain", trusted=trusted)
    for method in methods:
        if not only_at_test_time(type(method)) and method.name != "plain":
            raise UsageError(
                f"{method.name} is no defence at test time: robustmix train --method {method}; "
                f"there are: {', '.join(defences())}"
            )
    return [method for method in methods if overrides(method, "predict")]


def defences() -> list[str]:
    """The names of the methods that act at test time only."""
    return [name for name in names("methods") if only_at_test_time(find(Method, name))]


def only_at_test_time(kind: type[Method]) -> bool:
    """Whether a method changes predictions and nothing in training."""
    return kind.predict is not Method.predict and all(
        getattr(kind, hook) is getattr(Method, hook) for hook in TRAINING
    )
