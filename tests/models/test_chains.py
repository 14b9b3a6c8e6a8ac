"""What a file of convolutions and linear layers may mean: always the truth, and not much more."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.chains import MOST, chains
from robustbench_cli.models.checkpoint import load_state
from robustbench_cli.models.fitting import fit
from robustbench_cli.models.layers import Convolution, read_layer
from robustbench_cli.models.model import Architecture, make
from robustbench_cli.spec import build

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def state_of(spec: str, shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Its weights under the names of somebody else: numbers."""
    torch.manual_seed(0)
    network = build(Architecture, spec).build(shape, 10)
    return nn.Sequential(*network.children()).state_dict()


def possible(spec: str, shape: tuple[int, int, int]) -> list[str]:
    return [str(each) for each in chains(state_of(spec, shape), shape, 10)]


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("chain:16k4s2p1-32k4s2p1-100", GREY),
        ("chain:16k4s2-32k4s2-100", COLOUR),  # without padding
        ("chain:8k4s2p1-8k3p1-8k3p1-8k4s2p1-100", COLOUR),
        ("chain:32k3-64k3-max2-128", GREY),  # PyTorch's example
        ("chain:6k5p2-avg2-16k5-avg2-120-84,activation=tanh", GREY),  # LeCun's
        ("chain:32k5s2p1.2-64k5s2p1.2-512", COLOUR),  # as TensorFlow pads
        ("chain:100-100-100-100-100", GREY),
        ("chain:8k3p1wn-max2-16k3p1wn-max2-32n", GREY),
        ("chain:8k3p1-max2-16k3p1-max2-mean", COLOUR),
        ("chain:32,activation=sigmoid", (1, 8, 8)),
    ],
)
def test_the_truth_is_among_what_is_possible(spec: str, shape: tuple[int, int, int]) -> None:
    found = possible(spec, shape)
    assert spec in found
    odd = [build(Architecture, each).oddities for each in found if "," not in each]
    assert odd == sorted(odd) and odd[0] == min(odd), "usual geometries come first"
    assert len(found) <= 7 * MOST and len({*found}) == len(found)


def test_each_takes_the_weights() -> None:
    spec = "chain:4k5s2p2n-8k5s2p2-16"
    state = state_of(spec, GREY)
    for each in chains(state, GREY, 10):
        model = make(each, GREY, 10)
        assert fit(model, each.renamed(state, model.network)).startswith("matched 12 tensors")
        assert model(torch.rand(1, *GREY)).shape == (1, 10)


def test_a_file_that_is_sorted_as_text_is_put_in_order(tmp_path: Path) -> None:
    spec = "chain:4k3p1-4k3p1-4k3s2p1-4k3p1-4k3s2p1-12"
    state = {f"body.{name}": value for name, value in state_of(spec, GREY).items()}
    save_file(state, tmp_path / "net.safetensors")
    read = load_state(tmp_path / "net.safetensors")
    assert [*read][:3] == ["body.0.bias", "body.0.weight", "body.11.bias"]
    assert spec in [str(each) for each in chains(read, GREY, 10)]
    chain = build(Architecture, spec)
    ours, theirs = make(chain, GREY, 10), build(Architecture, spec).build(GREY, 10)
    fit(ours, chain.renamed(read, ours.network))
    theirs.load_state_dict(dict(zip(theirs.state_dict(), state.values(), strict=True)))
    x = torch.rand(2, *GREY)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        (state_of("chain:4k3-8", GREY), (1, 27, 27)),  # no geometry leads from these images
        (state_of("chain:4k3-8", GREY), COLOUR),
        ({**state_of("chain:4k3-8", GREY), "mask": torch.rand(4)}, GREY),
        (state_of("chain:" + "4k3p1-" * 9 + "8", GREY), GREY),  # too deep
        (state_of("resnet18", COLOUR), COLOUR),
        ({"0.weight": torch.rand(10, 784)}, GREY),
        ({}, GREY),
    ],
)
def test_what_is_no_chain_is_none(state: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
    assert chains(state, shape, 10) == []


@pytest.mark.parametrize("text", ["16k4s2p1", "32k3wn", "8k5s2p1.2", "max2", "mean", "100n"])
def test_a_layer_is_written_as_it_is_read(text: str) -> None:
    assert str(read_layer(text)) == text


def test_tensorflow_pads_as_written() -> None:
    layer = read_layer("8k5s2p1.2")
    assert layer == Convolution(8, 5, 2, 1, 2)
    network = build(Architecture, "chain:8k5s2p1.2").build(COLOUR, 10)
    x = torch.rand(1, *COLOUR)
    by_hand = nn.functional.conv2d(
        nn.functional.pad(x, (1, 2, 1, 2)), network[1].weight, network[1].bias, stride=2
    )
    assert torch.equal(network[:2](x), by_hand)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("chain:16x4", "chain: no layer '16x4'; write 16k4s2p1"),
        ("chain:100-max2", "chain: max2 after the linear layer 100"),
        ("chain:" + "9-" * 100 + "9", "101 layers, expected at most 100"),
        ("chain:16k4,activation=sine", "activation is one of relu, leaky-relu, "),
    ],
)
def test_what_cannot_be_read_gets_one_line(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as e:
        build(Architecture, spec)
    assert said in str(e.value) and str(e.value).isprintable()


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(UsageError, match="leaves nothing of 1x8x8 images after max9"):
        build(Architecture, "chain:4k3-max9").build((1, 8, 8), 10)
