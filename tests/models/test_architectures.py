"""Every file of models/architectures is tested without an edit here: the folder is listed."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields
from functools import cache
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.errors import UsageError
from robustbench_cli.models.blocks import Cosine, Standardise
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build, describe, names

GREY, COLOUR, SMALL = (1, 28, 28), (3, 32, 32), (3, 16, 16)
SMALLER = {"wide-resnet": "wide-resnet:depth=10,width=1", "timm": "timm:test_resnet"}
SMALLER["uneven-wide-resnet"] = "uneven-wide-resnet:blocks=1-2-1,widths=2-2-1"
SMALLER["resnext"] = "resnext:depth=11,groups=2,width=8"
SMALLER["dm-wide-resnet"] = "dm-wide-resnet:depth=10,width=1"
KNOWN = [name for name in names("models") if name != "timm" or find_spec("timm")]  # an extra
SPECS = [SMALLER.get(name, name) for name in KNOWN]  # the defaults are large
ONCE = [  # of two that differ in depth alone, the other one when it is not in a hurry
    pytest.param(spec, marks=pytest.mark.slow) if spec == "vgg16-bn" else spec for spec in SPECS
]


@cache
def built(spec: str, shape: tuple[int, int, int], classes: int) -> Model:
    torch.manual_seed(0)
    return make(build(Architecture, spec), shape, classes).eval()


def model_of(spec: str, shape: tuple[int, int, int], classes: int = 10) -> Model:
    return deepcopy(built(spec, shape, classes))  # to draw the large ones anew takes longer


def images(shape: tuple[int, int, int], n: int = 2) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("spec", "shape", "classes", "count"),
    [
        ("lenet5", (1, 32, 32), 10, 81_194),
        ("lenet5", GREY, 10, 81_194),  # with a border of zeros, as LeCun's
        ("lenet5:dense=1", GREY, 10, 940 + 69_240 + 1_210),
        ("lenet5:dense=3", GREY, 10, 81_194 + 84 * 84 + 84),
        ("madry-cnn", GREY, 10, 3_274_634),
        ("small-cnn", GREY, 10, 166_406),
        ("preact-resnet18", COLOUR, 10, 11_172_170),
        ("preact-resnet18:final-norm=false", COLOUR, 10, 11_171_146),
        ("preact-resnet18", (3, 64, 64), 200, 11_269_640),
        ("preact-resnet18:final-norm=false", (3, 64, 64), 200, 11_268_616),
        ("resnet18", COLOUR, 10, 11_173_962),
        ("cifar-resnet", COLOUR, 10, 269_722),
        ("cifar-resnet:depth=110", COLOUR, 10, 1_727_962),
        ("cifar-resnet:shortcut=b", COLOUR, 10, 272_474),
        ("wide-resnet", COLOUR, 10, 36_479_194),
        ("wide-resnet:depth=34", COLOUR, 10, 46_160_474),
        ("wide-resnet:depth=40,width=2", COLOUR, 10, 2_243_546),
        ("uneven-wide-resnet", COLOUR, 10, 68_116_698),
        (
            "uneven-wide-resnet:blocks=27-28-13,widths=10-14-6,activation=silu",
            *(COLOUR, 10, 147_291_738),  # 147M in the paper
        ),
        ("resnet18:width=128", COLOUR, 10, 44_662_922),
        ("resnext", COLOUR, 10, 6_807_882),
        ("resnext:groups=8,width=64", COLOUR, 10, 34_426_698),  # 34.4M in the paper
        ("resnet50", COLOUR, 10, 23_520_842),
        ("dm-wide-resnet", COLOUR, 10, 36_479_194),
        ("dm-preact-resnet18", COLOUR, 10, 12_548_426),
        ("vgg16-bn", COLOUR, 10, 14_728_266),
        ("vgg19-bn", COLOUR, 10, 20_040_522),
        ("mlp", (1, 1, 2), 2, 3 * 64 + 65 * 64 + 65 * 2),
        ("torchvision:resnet18", (3, 64, 64), 1000, 11_689_512),
        ("advertorch-lenet5", GREY, 10, 648_226),
        ("abcrown-resnet2b", COLOUR, 10, 112_006),
        ("abcrown-resnet4b", COLOUR, 10, 123_734),
        ("chain", GREY, 10, 166_406),  # as small-cnn
        ("chain:20k5-max2-50k5-max2-500", GREY, 10, 431_080),  # Caffe's LeNet
        ("abs-binary-cnn", GREY, 10, 249_228),
    ],
)
def test_a_network_has_the_published_number_of_parameters(
    spec: str, shape: tuple[int, int, int], classes: int, count: int
) -> None:
    with torch.device("meta"):
        network = build(Architecture, spec).build(shape, classes)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize("spec", ONCE)
@pytest.mark.parametrize(
    "shape", [GREY, *(pytest.param(s, marks=pytest.mark.slow) for s in (COLOUR, (2, 33, 40)))]
)
def test_images_of_several_sizes_become_logits(spec: str, shape: tuple[int, int, int]) -> None:
    with torch.no_grad():
        logits = model_of(spec, shape, classes=7)(images(shape))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("spec", ONCE)
def test_the_stages_follow_each_other_from_the_image_to_the_head(spec: str) -> None:
    model, x = model_of(spec, SMALL), images(SMALL)
    seen: list[tuple[str, torch.Size]] = []
    names_of = {f"stage {k}": stage for k, stage in enumerate(model.stages)} | {"head": model.head}
    for name, module in names_of.items():
        module.register_forward_pre_hook(
            lambda _, args, name=name: seen.append((name, args[0].shape))
        )
    model(x)
    assert sorted(name for name, _ in seen) == sorted(names_of)  # each exactly once
    assert [n for n, _ in seen if n != "head"] == [n for n in names_of if n != "head"]
    assert seen[0] == ("stage 0", x.shape)
    assert isinstance(model.head, nn.Linear)
    assert dict(seen)["head"] == (2, model.head.in_features)
    assert len(model.stages) >= 3  # manifold mixup's image, 1 and 2


@pytest.mark.parametrize("spec", ONCE)
def test_what_enters_a_stage_decides_the_logits(spec: str) -> None:
    model, x = model_of(spec, SMALL), images(SMALL, 3)
    with torch.no_grad():
        before = model(x)
        for stage in model.stages:
            handle = stage.register_forward_pre_hook(lambda _, args: (args[0].roll(1, 0),))
            torch.testing.assert_close(model(x), before.roll(1, 0), rtol=1e-4, atol=1e-5)
            handle.remove()


@pytest.mark.parametrize("spec", ONCE)
def test_activations_and_norms_are_modules_that_methods_can_replace(spec: str) -> None:
    model = model_of(spec, SMALL)
    modules = list(model.modules())
    activations = [m for m in modules if isinstance(m, (nn.ReLU, nn.ELU, nn.SiLU))]
    assert activations
    assert not any(m.inplace for m in activations)
    calls: list[nn.Module] = []
    for activation in activations:
        activation.register_forward_hook(lambda m, *_: calls.append(m))
    model(images(SMALL))
    if not spec.startswith("torchvision"):  # its blocks use one module twice
        assert len(calls) == len(set(calls)) == len(activations)


@pytest.mark.parametrize(
    "spec",
    [spec for spec in SPECS if spec.startswith(("abcrown", "chain", "lenet", "small", "mlp"))],
)
def test_weights_are_drawn_from_the_image_on(spec: str) -> None:
    """Else the same seed would give another network whenever its code is put in order."""
    torch.manual_seed(0)
    network = build(Architecture, spec).build(GREY, 10)
    leaves = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    drawn = [module.weight.clone() for module in leaves]
    torch.manual_seed(0)
    for module in leaves:
        module.reset_parameters()
    assert all(torch.equal(a, module.weight) for a, module in zip(drawn, leaves, strict=True))


@pytest.mark.parametrize("spec", ONCE)
def test_gradients_can_be_differentiated_again(spec: str) -> None:
    model, x = model_of(spec, SMALL), images(SMALL).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).logsumexp(1).sum(), x, create_graph=True)
    assert gradient.shape == x.shape
    if gradient.requires_grad and spec != "abs-binary-cnn":
        (gradient**2).sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", KNOWN)
def test_the_listing_explains_each_network_and_parameter(name: str) -> None:
    assert 20 < len(describe("models", name)) <= 100
    parameters = [f for f in fields(build(Architecture, name)) if f.init]
    assert all(f.metadata["about"] for f in parameters)


@pytest.mark.parametrize(
    "spec",
    [spec for spec in SPECS if "cnn" in spec or "lenet" in spec],
)
def test_images_that_are_too_small_are_refused_in_one_line(spec: str) -> None:
    with pytest.raises(UsageError, match=r"at least \d+x\d+ pixels, these have 2x3") as e:
        build(Architecture, spec).build((1, 2, 3), 10)
    assert "\n" not in str(e.value)


def test_the_residual_nets_hidden_activation_1_is_the_output_of_stage_1() -> None:
    model = model_of("preact-resnet18", COLOUR)
    layer1 = model.network.get_submodule("layer1")
    outputs: list[Tensor] = []
    inputs: list[Tensor] = []
    layer1.register_forward_hook(lambda *args: outputs.append(args[2]))
    model.stages[1].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    model(images(COLOUR))
    assert inputs[0] is outputs[0]


def test_the_zero_padding_shortcut_drops_pixels_and_adds_empty_channels() -> None:
    network = build(Architecture, "cifar-resnet").build(COLOUR, 10)
    x = torch.rand(1, 16, 8, 8)
    y = network.get_submodule("layer2.0.shortcut")(x)
    assert y.shape == (1, 32, 4, 4)
    torch.testing.assert_close(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_a_network_that_standardises_does_not_see_brightness_or_contrast() -> None:
    spec = "wide-resnet:depth=10,width=1"
    own, plain = (model_of(f"{spec},standardise={on}", COLOUR) for on in ("true", "false"))
    plain.network.load_state_dict(own.network.state_dict())
    x = images(COLOUR)
    flat = x.flatten(1)
    by_hand = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
    with torch.no_grad():
        torch.testing.assert_close(own(x), plain(by_hand.view_as(x)))
        torch.testing.assert_close(own(x), own(x / 4 + 0.3), rtol=1e-4, atol=1e-5)


def test_cosines_do_not_see_how_long_features_or_weights_are() -> None:
    head, x = Cosine(5, 3), torch.rand(4, 5)
    expected = torch.cosine_similarity(x[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(x), expected)
    head.weight.data *= torch.tensor([[2.0], [3.0], [4.0]])
    torch.testing.assert_close(head(x * 7), expected)


def test_a_flat_image_is_standardised_to_nothing_with_a_finite_gradient() -> None:
    x = torch.full((2, *SMALL), 0.5, requires_grad=True)
    standard = Standardise()(x)
    assert not standard.any()
    standard[:, 0, 0, 0].sum().backward()
    pixels = x[0].numel()
    assert x.grad is not None
    torch.testing.assert_close(
        x.grad[0, 0, 0, 0].item(), (1 - 1 / pixels) * pixels**0.5, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cifar-resnet:depth=21", "depth=21 is not 6n.2; did you mean 20 or 26"),
        ("resnext:depth=30", "depth=30 is not 9n.2; did you mean 29 or 38"),
        ("uneven-wide-resnet:blocks=5-5", "blocks=5-5 are not three numbers"),
        ("uneven-wide-resnet:widths=5-0-5", "widths=5-0-5 are not three numbers"),
        ("wide-resnet:depth=30", "depth=30 is not 6n.4; did you mean 28 or 34"),
        ("cifar-resnet:shortcut=c", "one of a, b"),
        ("torchvision:resnet19", "no classifier named 'resnet19'; did you mean 'resnet1"),
        ("torchvision:alexnet", "torchvision:alexnet cannot take 3x32x32 images"),
    ],
)
def test_impossible_parameters_are_refused_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as e:
        build(Architecture, spec).build(COLOUR, 10)
    assert "\n" not in str(e.value)


def test_the_thresholded_network_has_a_gradient_that_is_exactly_zero() -> None:
    model, x = model_of("abs-binary-cnn", GREY), images(GREY).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 0].sum(), x)
    assert not gradient.any()
    binary = (x > 0.5).float()
    torch.testing.assert_close(model(x), model(binary))
