"""Networks of the user's own, named by import path: ``my_lab.nets:MyNet``.

The path may name an :class:`Architecture`, any class of `nn.Module`, or a function that makes one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import nn

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.spec import build, import_object, names

from .checkpoint import one_line
from .foreign import guess_joints, never_in_place, try_out
from .model import Architecture
from .session import PREFIX, kept

Maker = Callable[..., nn.Module]


@dataclass(kw_only=True)
class OwnNetwork(Architecture):
    """A plain network class; called with ``num_classes`` if it has that, else with nothing.

    Its stages and head are guessed (:func:`foreign.guess_joints`); to name them, derive the class
    from Architecture.
    """

    path: str
    maker: Maker = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        return self.path

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        try:
            signature = inspect.signature(self.maker).parameters
            network = self.maker(**({"num_classes": classes} if "num_classes" in signature else {}))
        except RobustmixError:
            raise
        except Exception as e:  # the user's code: whatever it raises is the answer
            raise UsageError(
                f"{self} could not be made: {type(e).__name__}: {one_line(e)}; it is called with "
                "num_classes=, if it has that, and nothing else"
            ) from e
        if not isinstance(network, nn.Module):
            raise UsageError(f"{self} made a {type(network).__name__}, expected a torch.nn.Module")
        try_out(never_in_place(network), shape, classes, str(self))
        return network

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        return guess_joints(network)


def open_architecture(
    given: str | Architecture | type[nn.Module], *, trusted: bool = True
) -> Architecture:
    """The architecture that a spec, an import path, an object or a class of networks stands for.

    `trusted` as in :func:`spec.find`: False if a file, not the user, wrote the text.

    Raises:
        UsageError: no such network, or an object from which no fresh network can be made.
    """
    if isinstance(given, Architecture):
        return given
    if isinstance(given, type) and issubclass(given, nn.Module):
        return OwnNetwork(path=f"{given.__module__}:{given.__qualname__}", maker=given)
    if not isinstance(given, str):
        raise UsageError(
            f"a {type(given).__name__} is no model; expected a name such as lenet5, an "
            "Architecture, or a class derived from torch.nn.Module (the class, not an object)"
        )
    if given.startswith(PREFIX):
        return kept(given)
    module, _, rest = given.strip().partition(":")
    attribute, _, parameters = rest.partition(":")
    if module in names(Architecture.room) or not attribute.isidentifier():
        return build(Architecture, given, trusted=trusted)
    path = f"{module}:{attribute}"
    found = import_object(path, trusted=trusted)
    if isinstance(found, type) and issubclass(found, Architecture):
        return build(Architecture, given, trusted=trusted)
    if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
        raise UsageError(f"{path} is no network; expected a class derived from torch.nn.Module")
    if parameters:
        raise UsageError(
            f"{path} takes no parameters from a spec; to give it some, derive it from "
            "robustbench_cli.models.model.Architecture"
        )
    return OwnNetwork(path=path, maker=found)
