"""Any image classifier of timm (PyTorch Image Models): timm:vit_tiny_patch16_224.

https://github.com/huggingface/pytorch-image-models; needs timm: pip install "robustmix[timm]".
Pixels are normalised as in the network's pretrained configuration, whatever the data set; with
other than three channels, by the mean over the colours. Networks that are tied to a size (most
transformers) are made for the size of the images, in patches that must divide it; the others are
told apart by their last feature map, and a map of one pixel is said. `pretrained=true` starts the
training from weights of the Hugging Face hub, or of its cache; a head for other classes is new.
`--epochs 0` keeps them as they are. Stages are the network's own, or every fourth of a row of
equal blocks; attention is computed by its formula and not fused, because several methods
differentiate twice. XCiT takes patches of 4, too, as robust ones for CIFAR have (Debenedetti et
al., SaTML 2023); ``stem=convolutions`` is that of Singh et al. (NeurIPS 2023) for ConvNeXt and ViT.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.checkpoint import one_line
from robustbench_cli.models.fitting import Match, compare
from robustbench_cli.models.foreign import guess_joints, never_in_place, try_out
from robustbench_cli.models.model import Architecture
from robustbench_cli.models.normalisation import Statistics
from robustbench_cli.models.stems import begin_with_convolutions, cut_finer, set_norm_epsilon
from robustbench_cli.spec import param

_log = logging.getLogger(__name__)
_ROWS = ("blocks", "stages", "layers")
"""What timm calls a row of blocks, or of stages, of which each may be one of ours."""


@dataclass(kw_only=True)
class Timm(Architecture):
    positional: ClassVar[str | None] = "network"
    variants: ClassVar[tuple[str, ...]] = ()  # more than a thousand: the user names one
    network: str = param("resnet18", "a name of timm.list_models(), with or without .tag")
    pretrained: bool = param(False, "begin with the weights of the hub")
    patch_size: int | None = param(
        None, "side of a transformer's patches, in pixels; none: its own", low=1
    )
    depth: int | None = param(None, "blocks of a row of equal ones; none: its own", low=1)
    window_size: int | None = param(None, "of Swin's windows, in patches; none: its own", low=1)
    norm_eps: float | None = param(None, "epsilon of layer norms; none: its own", low=0)
    stem: Literal["own", "convolutions"] = param("own", "what makes patches of an image")

    def __post_init__(self) -> None:
        super().__post_init__()
        timm = _library()
        if not timm.is_model(self.network):
            near = difflib.get_close_matches(self.network, timm.list_models(), 1)
            hint = f"did you mean {near[0]!r}?" if near else "expected one such as resnet18"
            raise UsageError(f"timm has no network named {self.network!r}; {hint}")
        try:
            self._config()
        except RuntimeError as e:
            raise UsageError(f"{self}: {one_line(e)}; leave out what follows the dot") from e

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        network = self._create(shape, classes)
        _mendable(network)
        try_out(never_in_place(network), shape, classes, str(self))
        return network

    def begin(self, network: nn.Module, shape: tuple[int, int, int], classes: int) -> None:
        """The weights of the hub, if they are asked for.

        Raises:
            UsageError: there are none, or they cannot be had.
        """
        self._say(network, shape)
        if not self.pretrained:
            return
        config = self._config()
        if config is None or not config.has_weights:
            raise UsageError(f"timm has no weights of {self.network}; leave out pretrained=true")
        network.load_state_dict(self._create(shape, classes, pretrained=True).state_dict())
        kept = "with its head" if config.num_classes == classes else f"new head: {classes} classes"
        _log.warning("%s: weights of %s, %s", self, config.hf_hub_id or config.url, kept)

    def renamed(self, state: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
        """As timm itself reads older files; but not where it would make other weights of them."""
        if isinstance(compare(state, network), Match):
            return state
        known = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
        try:
            found = dict(known(dict(state), network)) if known else {}
        except Exception:  # of somebody else's weights: they do not fit, which is said elsewhere
            return state
        same = {id(value) for value in state.values()}
        return found if found and {id(value) for value in found.values()} <= same else state

    def normalisation(self, channels: int) -> Statistics | None:
        config = self._config()
        if config is None:
            return None
        mean, std = config.mean, config.std
        if len(mean) != channels:
            mean, std = ([sum(values) / len(values)] * channels for values in (mean, std))
        return list(mean), list(std)

    def joints(self, network: nn.Module) -> tuple[Sequence[str], str]:
        stages, head = guess_joints(network)
        if "layer2" in stages:  # a residual network: as in the papers, not the stem's output
            return stages[stages.index("layer2") :], head
        rows = {name: part for name, part in network.named_children() if name in _ROWS}
        row = next(iter(rows), "")
        inside = [i for i, name in enumerate(stages) if f"{name}.".startswith(f"{row}.")]
        if not row or not inside:
            return stages, head
        parts = len(list(rows[row].children()))
        starts = sorted({parts * quarter // 4 for quarter in (1, 2, 3)} - {0})
        return [f"{row}.{start}" for start in starts] + list(stages[inside[-1] + 1 :]), head

    def _config(self) -> Any:
        """What timm knows of the pretrained network; None for one without."""
        return _library().get_pretrained_cfg(self.network)

    def _create(
        self, shape: tuple[int, int, int], classes: int, pretrained: bool = False
    ) -> nn.Module:
        channels, height, width = shape
        if self.patch_size and self.patch_size > min(height, width):  # before memory is made for it
            _check_patches(self.patch_size, str(self), height, width)
        options: dict[str, Any] = {"num_classes": classes, "in_chans": channels}
        config = self._config()
        tied = config is not None and config.fixed_input_size
        if tied:
            options["img_size"] = (height, width)
        cut = self.network.startswith("xcit_") and self.patch_size == 4  # timm has 8 and 16
        sizes = {
            "patch_size": None if cut else self.patch_size,
            "depth": self.depth,
            "window_size": self.window_size,
        }
        options |= {name: value for name, value in sizes.items() if value}
        try:
            made: nn.Module = _library().create_model(
                self.network, pretrained=pretrained, **options
            )
        except Exception as e:  # of more than a thousand networks: whatever is raised is the answer
            reason = f"{type(e).__name__}: {one_line(e)}"
            if pretrained:
                raise UsageError(
                    f"{self}: no weights from the hub or its cache ({reason}); "
                    "go online once, or leave out pretrained=true"
                ) from e
            asked = [name.replace("_", "-") for name, value in sizes.items() if value]
            hint = f", or leave out {' and '.join(asked)}" if asked else ""
            raise UsageError(
                f"{self} cannot be made for {channels}x{height}x{width} images: {reason}; "
                f"try another --model{hint}"
            ) from e
        if cut:
            cut_finer(made, 4)
        if self.stem == "convolutions":
            begin_with_convolutions(made, str(self))
        if self.norm_eps is not None:
            set_norm_epsilon(made, self.norm_eps)
        _check_patches(_patch_side(made), str(self), height, width)
        return made

    def _say(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        """That little of a small image is left, in a network that is made for larger ones."""
        config, patches = self._config(), _patch_side(network)
        if patches and (count := shape[1] // patches * (shape[2] // patches)) < 16:
            _log.warning(
                "%s sees %dx%d images as %d patches; patch-size=%d would make more",
                *(self, shape[1], shape[2], count, max(patches // 4, 1)),
            )
        if config is None or config.fixed_input_size or not hasattr(network, "feature_info"):
            return
        made_for, (_, height, width) = config.input_size[-1], shape
        shrinks = max(info["reduction"] for info in network.feature_info)  # type: ignore[union-attr]
        if height * width < made_for**2 and min(height, width) < 4 * shrinks:
            left = f"{-(-height // shrinks)}x{-(-width // shrinks)}"
            _log.warning(
                "%s is made for %dx%d images: of %dx%d, %s pixels are left in its last features",
                *(self, made_for, made_for, height, width, left),
            )


@cache
def _library() -> ModuleType:
    """timm, which takes a second or two to load.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module("timm")
    except ImportError as e:
        raise UsageError('timm:NETWORK needs timm; type: pip install "robustmix[timm]"') from e


def _patch_side(network: nn.Module) -> int:
    """Pixels; 0 for a network that does not cut images into patches."""
    sides = getattr(getattr(network, "patch_embed", None), "patch_size", None) or 0
    return int(sides[0] if isinstance(sides, (tuple, list)) else sides)


def _check_patches(side: int, name: str, height: int, width: int) -> None:
    """Refuse patches that leave a border of the image unseen."""
    if side and (height % side or width % side):
        fitting = [d for d in range(2, min(height, width)) if not (height % d or width % d)]
        near = min(fitting, key=lambda d: abs(d - min(height, width) / 7), default=1)
        raise UsageError(
            f"{name}: patches of {side}x{side} leave a border of {height}x{width} images unseen; "
            f"choose a size that divides them: timm:{name.partition(':')[2].partition(',')[0]},"
            f"patch-size={near}"
        )


def _mendable(network: nn.Module) -> None:
    """Activations that methods know, and attention that can be differentiated twice."""
    for name, module in list(network.named_modules()):
        if getattr(module, "fused_attn", False):
            module.fused_attn = False
        if type(module).__name__ in ("GELU", "GELUTanh") and not isinstance(module, nn.GELU):
            tanh = type(module).__name__ == "GELUTanh"
            network.set_submodule(name, nn.GELU("tanh" if tanh else "none"))
