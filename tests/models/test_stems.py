"""What published robust networks have at their beginning, beside timm's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from robustbench_cli.models.model import Architecture
from robustbench_cli.models.stems import ChannelNorm, cut_finer
from robustbench_cli.spec import build

pytest.importorskip("timm")
XCIT = "timm:xcit_nano_12_p16_224,depth=1"
GREY, COLOUR = (1, 32, 32), (3, 32, 32)


@pytest.mark.parametrize(("side", "tokens"), [(16, 4), (8, 16), (4, 64)])
def test_an_xcit_sees_as_many_patches_as_its_patch_size_says(side: int, tokens: int) -> None:
    network = build(Architecture, f"{XCIT},patch-size={side}").build(COLOUR, 10)
    embedded, _ = network.get_submodule("patch_embed")(torch.rand(1, *COLOUR))
    assert embedded.shape[1] == tokens
    assert len(network.blocks) == 1


def test_finer_patches_keep_the_names_and_shapes_of_the_weights() -> None:
    own, finer = (build(Architecture, f"{XCIT}{more}") for more in ("", ",patch-size=4"))
    shapes = [
        {name: v.shape for name, v in each.build(COLOUR, 10).state_dict().items()}
        for each in (own, finer)
    ]
    assert shapes[0] == shapes[1]


def test_patches_of_8_are_cut_to_4_by_one_convolution() -> None:
    network = build(Architecture, "timm:xcit_nano_12_p8_224,depth=1").build(COLOUR, 10)
    cut_finer(network, 4)
    assert [part[0].stride[0] for part in network.patch_embed.proj[::2]] == [1, 2, 2]


@pytest.mark.parametrize(
    ("spec", "channels"),
    [
        ("timm:convnext_atto", [20, 40]),
        ("timm:convnext_base", [64, 96, 128]),
        ("timm:vit_tiny_patch16_224", [48, 96, 192, 384, 192]),
    ],
)
def test_a_stem_of_convolutions_leaves_as_much_of_an_image_as_the_own(
    spec: str, channels: list[int]
) -> None:
    with torch.device("meta"):
        own, other = (
            build(Architecture, spec + stem).build(GREY, 10) for stem in ("", ",stem=convolutions")
        )
        x = torch.empty(1, *GREY)
        where = "stem" if "convnext" in spec else "patch_embed.proj"
        first, second = (net.get_submodule(where) for net in (own, other))
        assert first(x).shape == second(x).shape
    found = [m.out_channels for m in second.modules() if isinstance(m, nn.Conv2d)]
    assert found == channels


def test_the_norm_of_channels_is_one_over_each_pixel() -> None:
    norm, x = ChannelNorm(5), torch.rand(2, 5, 3, 4)
    y = norm(x)
    torch.testing.assert_close(y.mean(1), torch.zeros(2, 3, 4), rtol=0, atol=1e-5)
    expected = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-6).sqrt()
    torch.testing.assert_close(y, expected)


def test_every_norm_takes_the_epsilon_that_is_asked_for() -> None:
    network = build(Architecture, "timm:test_vit,norm-eps=0.25").build((3, 32, 32), 10)
    norms = [module for module in network.modules() if isinstance(module, nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {0.25}
