"""Foreign weights in a network of ours: matched by name, by order, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.errors import RunError
from robustbench_cli.models.checkpoint import load_state
from robustbench_cli.models.fitting import fit, normalisation_of
from robustbench_cli.models.infer import candidates, fitting
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build

COLOUR = (3, 32, 32)


def model_of(
    spec: str, seed: int = 0, shape: tuple[int, int, int] = COLOUR, **statistics: list[float]
) -> Model:
    torch.manual_seed(seed)
    return make(build(Architecture, spec), shape, 10, **statistics).eval()


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as somebody else would call them."""
    return {f"body{i}.{name.rpartition('.')[2]}": v for i, (name, v) in enumerate(state.items())}


def same_logits(a: Model, b: Model, shape: tuple[int, int, int] = COLOUR) -> bool:
    x = torch.rand(2, *shape)
    with torch.no_grad():
        return torch.equal(a(x), b(x))


def test_names_that_agree_decide_and_the_order_does_not_matter() -> None:
    theirs, ours = model_of("cifar-resnet", 1), model_of("cifar-resnet", 2)
    shuffled = dict(sorted(theirs.network.state_dict().items()))
    assert fit(ours, shuffled) == "matched 97 tensors by name"
    assert same_logits(ours, theirs)


def test_other_names_are_matched_by_order_shape_and_kind() -> None:
    theirs, ours = model_of("cifar-resnet", 1), model_of("cifar-resnet", 2)
    how = fit(ours, renamed(theirs.network.state_dict()))
    assert how == "matched 97 tensors by order and shape; their names differ"
    assert same_logits(ours, theirs)


def test_counters_of_batches_may_be_missing() -> None:
    theirs, ours = model_of("cifar-resnet", 1), model_of("cifar-resnet", 2)
    state = {k: v for k, v in theirs.network.state_dict().items() if "num_batches" not in k}
    fit(ours, state)
    assert same_logits(ours, theirs)


def test_the_state_of_a_whole_model_brings_its_normalisation() -> None:
    theirs = model_of("small-cnn", 1, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    ours = model_of("small-cnn", 2)
    assert fit(ours, theirs.state_dict()).endswith("by name; normalisation from there, too")
    assert same_logits(ours, theirs)


@pytest.mark.parametrize("names", [("0.mean", "0.std"), ("mu", "sigma")])
def test_normalisation_is_known_by_its_names(names: tuple[str, str]) -> None:
    theirs = model_of("small-cnn", 1, mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    mean, std = theirs.normalise.mean, theirs.normalise.std
    state = {names[0]: mean, names[1]: std}
    state |= {f"1.{k}": v for k, v in theirs.network.state_dict().items()}
    ours = model_of("small-cnn", 2)
    found = normalisation_of(state, ours.network)
    assert found == (tuple(mean.flatten().tolist()), tuple(std.flatten().tolist()))
    fit(ours, state)
    assert same_logits(ours, theirs)


def test_one_mean_for_all_channels_and_bad_ones() -> None:
    state = dict(model_of("small-cnn", 1).network.state_dict())
    ours = model_of("small-cnn", 2)
    fit(ours, state | {"mean": torch.tensor(0.5), "std": torch.tensor(0.25)})
    assert ours.normalise.std.flatten().tolist() == [0.25] * 3
    with pytest.raises(RunError, match="makes no sense for images of 3 channels"):
        fit(ours, state | {"mean": torch.zeros(2), "std": torch.ones(2)})
    with pytest.raises(RunError, match="makes no sense"):
        fit(ours, state | {"mean": torch.zeros(3), "std": torch.zeros(3)})


def test_a_mean_that_belongs_to_the_network_is_no_normalisation() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(1))
            self.register_buffer("std", torch.ones(1))
            self.linear = nn.Linear(4, 10)

    model = Model(Own(), [], "linear", [0.0], [1.0])
    state = {"mean": torch.ones(1), "std": torch.ones(1), **nn.Linear(4, 10).state_dict()}
    state = {k if k in ("mean", "std") else f"linear.{k}": v for k, v in state.items()}
    assert normalisation_of(state, model.network) is None
    assert fit(model, state) == "matched 4 tensors by name"
    assert model.network.mean.item() == 1


def test_a_convolution_over_the_whole_map_is_a_linear_layer() -> None:
    theirs = model_of("abs-binary-cnn", 1, (1, 28, 28))
    state = dict(theirs.network.state_dict())
    state["conv_3.weight"] = state["conv_3.weight"].reshape(10, 256, 5, 5)
    ours = model_of("abs-binary-cnn", 2, (1, 28, 28))
    fit(ours, state)
    assert same_logits(ours, theirs, (1, 28, 28))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet18", "conv1.weight 16x3x3x3 in the file, conv1.weight 64x3x3x3 in the network"),
        ("cifar-resnet:depth=32", "layer2.0.conv1.weight 32x16x3x3 in the file, layer1.3.conv1"),
        ("cifar-resnet:shortcut=b", "in the network; name the right one: --model NAME"),
    ],
)
def test_another_network_is_refused_with_the_first_disagreement(spec: str, message: str) -> None:
    state = model_of("cifar-resnet").network.state_dict()
    with pytest.raises(RunError) as e:
        fit(model_of(spec), state)
    assert message in str(e.value)
    assert str(e.value).isprintable()


def test_other_channels_or_classes_are_blamed_on_the_data() -> None:
    state = model_of("resnet18").network.state_dict()
    with pytest.raises(RunError, match="takes images of 3 channels, and these have 1: check --da"):
        fit(model_of("resnet18", shape=(1, 32, 32)), state)
    with pytest.raises(RunError, match="knows 10 classes, and the data set has 7: check --data"):
        fit(make(build(Architecture, "resnet18"), COLOUR, 7), state)


def test_missing_and_additional_tensors_are_counted() -> None:
    state = dict(model_of("small-cnn").network.state_dict())
    last = state.pop("7.bias")
    with pytest.raises(RunError, match=r"has 7 tensors, the network 8; 7.bias is only in the net"):
        fit(model_of("small-cnn"), state)
    with pytest.raises(RunError, match=r"has 9 tensors, the network 8; 9.bias is only in the file"):
        fit(model_of("small-cnn"), state | {"7.bias": last, "9.bias": last})


def test_a_network_with_fewer_layers_is_not_one_of_other_classes() -> None:
    specs = "chain:20-20-20", "chain:20-20"
    deep, shallow = (make(build(Architecture, spec), (1, 28, 28), 10) for spec in specs)
    with pytest.raises(RunError, match=r"file has 8 tensors, the network 6; .* --model NAME") as e:
        fit(shallow, deep.network.state_dict())
    assert "classes" not in str(e.value)


INFERRED = [
    ("lenet5", (1, 28, 28)),
    ("cifar-resnet:depth=20", COLOUR),
    ("preact-resnet18:final-norm=false", COLOUR),
    ("wide-resnet:depth=16,width=4", COLOUR),
    ("torchvision:resnet18", COLOUR),
]


@pytest.mark.parametrize(("spec", "shape"), INFERRED)
def test_the_network_is_inferred_from_its_tensors(spec: str, shape: tuple[int, int, int]) -> None:
    architecture = build(Architecture, spec)
    with torch.device("meta"):
        state = architecture.build(shape, 10).state_dict()
    assert fitting(state, shape, 10, shown=False) == [architecture]


def test_the_network_is_inferred_without_the_names() -> None:
    architecture = build(Architecture, "preact-resnet18")
    state = renamed(architecture.build(COLOUR, 10).state_dict())
    assert fitting(state, COLOUR, 10) == [architecture]


def test_every_candidate_differs_from_every_other() -> None:
    texts = [str(candidate) for candidate in candidates()]
    assert len(texts) == len(set(texts))


def test_what_fits_nothing_is_described(tmp_path: Path) -> None:
    torch.save(nn.Linear(5, 4).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(RunError) as e:
        fitting(load_state(tmp_path / "weights.pt"), (1, 28, 28), 10)
    message = str(e.value)
    assert message.startswith(
        "the weights (2 tensors: weight 4x5) fit no known network for 1x28x28"
    )
    assert message.endswith(
        "10 classes; check --data, or name the network: --model NAME (robustmix --list models), "
        "timm:NAME, torchvision:NAME or my_lab.nets:MyNet"
    )
    assert message.isprintable()


def test_what_fits_several_networks_is_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [build(Architecture, "mlp:depth=0"), build(Architecture, "mlp:depth=0,width=5")]
    monkeypatch.setattr("robustbench_cli.models.infer.candidates", lambda: iter(both))
    assert fitting(both[0].build((1, 2, 2), 3).state_dict(), (1, 2, 2), 3) == both
