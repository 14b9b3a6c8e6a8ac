"""The contract: a plugin is a dataclass in a file of its own; its fields are its parameters."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Literal, TypeVar

from robustbench_cli.errors import UsageError

from .pixels import refuse_unscaled
from .values import shorten

PACKAGE = __package__.rpartition(".")[0]

ROOMS = {
    "methods": "training.methods",
    "attacks": "evaluation.attacks",
    "models": "models.architectures",
    "datasets": "data.datasets",
    "figures": "reporting.figures",
    "checks": "trust.checks",
    "signals": "evaluation.signals",
    "analyses": "analysis.analyses",
    "trackers": "tracking.trackers",
}
"""What ``--list`` lists: the word, and the folder whose files it lists."""


def one_of(room: str) -> str:
    """The word for one plugin of a room: ``method``, ``analysis``."""
    return f"{room[:-2]}is" if room.endswith("yses") else room.removesuffix("s")


def param(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: Literal["pixels", "one pixel", "l2"] | None = None,
) -> Any:
    """A dataclass field with a line of explanation and inclusive bounds (None: open).

    A length in `unit` pixels (by the plugin's norm, Linf without one; or always in L2), or a change
    of one pixel, is refused if it was meant for 0..255.
    """
    about_it = {"about": about, "low": low, "high": high, "unit": unit}
    return field(default=default, metadata=about_it)


@dataclass(kw_only=True)
class Plugin:
    """An object that can be written as a spec. Parameters are its fields, and scalars."""

    room: ClassVar[str]  # a key of ROOMS
    positional: ClassVar[str | None] = None  # the parameter that may stand without its name

    def __post_init__(self) -> None:
        for f in parameters(type(self)):
            value, low, high = getattr(self, f.name), f.metadata.get("low"), f.metadata.get("high")
            if isinstance(value, (int, float)) and not (
                (low is None or value >= low) and (high is None or value <= high)
            ):
                raise UsageError(
                    f"{self.name}: {f.name.replace('_', '-')}={shorten(value)} is outside "
                    f"[{'-inf' if low is None else shorten(low)}, "
                    f"{'inf' if high is None else shorten(high)}]"
                )
            unit = f.metadata.get("unit")
            if unit and isinstance(value, (int, float)):
                what = f"{self.name}: {f.name.replace('_', '-')}="
                own = getattr(self, "norm", "linf")
                norm = {"pixels": own, "one pixel": "linf", "l2": "l2"}[unit]
                refuse_unscaled(what, value, norm)

    @classmethod
    def title(cls) -> str:
        """The name of the file, or ``module:Class`` for a user's own."""
        package, _, name = cls.__module__.rpartition(".")
        if package == f"{PACKAGE}.{ROOMS[cls.room]}":
            return name.replace("_", "-")
        return f"{cls.__module__}:{cls.__name__}"

    @property
    def name(self) -> str:
        return self.title()

    def __str__(self) -> str:
        given: list[str] = []
        for f in parameters(type(self)):
            value = getattr(self, f.name)
            if f.name == self.positional:
                given.insert(0, shorten(value))
            elif value != f.default:
                given.append(f"{f.name.replace('_', '-')}={shorten(value)}")
        return ":".join([self.name, ",".join(given)] if given else [self.name])


P = TypeVar("P", bound=Plugin)


def parameters(cls: type[Plugin]) -> list[Field[Any]]:
    """The fields a spec may set."""
    return [f for f in fields(cls) if f.init]
