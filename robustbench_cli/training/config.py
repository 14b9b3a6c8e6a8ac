"""Everything that decides the weights of a run, and the name it gives the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, Literal, Self, get_args

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.device import Precision
from robustbench_cli.errors import UsageError
from robustbench_cli.files import slug
from robustbench_cli.models.own import open_architecture
from robustbench_cli.runs import hub
from robustbench_cli.spec import build, build_all, number, shorten

from .method import Method
from .objective import Loss, check, refuse_weights

Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "step", "cosine", "cyclic"]
RATES: dict[str, float] = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Specs as text, so that a config is readable, comparable and JSON.

    What is None is filled by :meth:`resolve` with what is usual for the data set.
    """

    data: str = "digits"
    model: str = "lenet5"
    method: str = "plain"
    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: Optimizer | None = None
    lr: float | None = None  # the peak of the schedule
    momentum: float = 0.9
    weight_decay: float | None = None
    schedule: Schedule = "cosine"
    loss: Loss = "ce"
    class_weights: str | None = None  # balanced, or a number for each class
    augment: bool = True  # crop and flip where the data set is usually cropped and flipped
    normalise: bool = True  # by mean and deviation of the training pixels, or the network's own
    validation: float = 0.1
    train_fraction: float = 1.0
    label_noise: float = 0.0
    precision: Precision = "auto"
    compile: bool = False  # fuse the network's blocks by torch.compile
    stop_on: str | None = None  # the attack that decides which epoch is kept, on held-out images
    stop_eps: str | None = None
    init: str | None = None  # the run or file whose weights it begins with
    weights_key: str | None = None  # of the file's sets of weights
    freeze: str | None = None  # layers that stay as they are
    method_resolved: str = ""  # `method` with the parameters that the data set decided

    def resolve(self, *, trusted: bool = True) -> Self:
        """Every default filled in and every spec in its canonical spelling.

        `trusted`: the user wrote the specs, not a file, so they may name the user's own code.

        Raises:
            UsageError: a spec or a number that makes no sense.
        """
        dataset = build(Dataset, self.data, trusted=trusted)
        methods = build_all(Method, self.method, trusted=trusted)
        check(methods)
        method = "+".join(map(str, methods))
        for each in methods:
            each.adapt(dataset)
        optimizer = self.optimizer or dataset.optimizer
        if optimizer not in RATES:
            raise UsageError(f"no optimizer {optimizer!r}; type --optimizer {', '.join(RATES)}")
        filled = replace(
            self,
            data=str(dataset),
            model=str(open_architecture(self.model, trusted=trusted)),
            class_weights=_weights(self.class_weights),
            freeze=",".join(filter(None, map(str.strip, (self.freeze or "").split(",")))) or None,
            method=method,
            method_resolved="+".join(map(str, methods)),
            epochs=dataset.epochs if self.epochs is None else self.epochs,
            batch_size=self.batch_size or dataset.batch_size,
            optimizer=optimizer,
            lr=RATES[optimizer] if self.lr is None else self.lr,
            weight_decay=dataset.weight_decay if self.weight_decay is None else self.weight_decay,
        )
        filled._check()
        return filled

    def _check(self) -> None:
        least = {"seed": 0, "epochs": 0, "batch_size": 2, "lr": 0, "weight_decay": 0, "momentum": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if not low <= value < inf:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {shorten(value)}: expected {low} or more")
        if self.stop_on and not self.validation:
            raise UsageError("--stop-on needs held-out images; type --validation 0.1 or more")
        if self.stop_eps and not self.stop_on:
            raise UsageError("--stop-eps is the radius of --stop-on; type --stop-on linf-pgd too")
        if self.weights_key and not self.init:
            raise UsageError("--weights-key is of a file; type --init FILE too")
        if self.class_weights:
            refuse_weights(build_all(Method, self.method, trusted=False), self.loss)
        words: dict[str, Any] = {"schedule": Schedule, "loss": Loss, "precision": Precision}
        for name, kind in words.items():
            if getattr(self, name) not in get_args(kind):
                raise UsageError(
                    f"no {name} {getattr(self, name)!r}; type {', '.join(get_args(kind))}"
                )

    @cached_property
    def name(self) -> str:
        """``mnist-lenet5-mixup-alpha=0.4-epochs=2-s0``: what was asked for and is not usual."""
        usual = TrainConfig(data=self.data, model=self.model, method=self.method)
        usual = usual.resolve(trusted=False)
        extra = [
            f"{f.name.replace('_', '-')}={_brief(f.name, getattr(self, f.name))}"
            for f in fields(self)
            if f.name not in ("data", "model", "method", "seed", "method_resolved")
            and getattr(self, f.name) != getattr(usual, f.name)
        ]
        data = build(Dataset, self.data, trusted=False).short
        return slug("-".join([data, self.model, self.method, *extra, f"s{self.seed}"]))

    def as_dict(self) -> dict[str, Any]:
        """Without what is switched off: runs from before there was such a switch stay valid."""
        later = {"compile", "stop_on", "stop_eps", "class_weights", "init", "weights_key", "freeze"}
        return {k: v for k, v in asdict(self).items() if v or k not in later}


def _brief(name: str, value: object) -> str:
    """A setting as the run's name has it: weights to begin with by the last part of their path."""
    if name != "init":
        return shorten(value)
    return hub.short(str(value)) or Path(str(value)).name


def _weights(text: str | None) -> str | None:
    """``balanced``, or numbers in their shortest spelling.

    Raises:
        UsageError: neither.
    """
    if not text or text.strip() == "balanced":
        return text.strip() if text else None
    try:
        numbers = [float(number(each)) for each in text.split(",")]
    except UsageError as e:
        raise UsageError(f"--class-weights {text}: {e}; or type balanced") from e
    if not all(0 <= each < inf for each in numbers) or not any(numbers):
        raise UsageError(f"--class-weights {text}: expected numbers from 0 on, not all of them 0")
    return ",".join(map(shorten, numbers))
