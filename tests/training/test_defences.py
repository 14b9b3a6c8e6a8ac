"""Defences at test time: what they compute, what they cost, what they leave alone."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare
from small import CLASSES, make_batch, make_model, train
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.network import Network
from robustbench_cli.spec import build
from robustbench_cli.training.defences.pool import Pool
from robustbench_cli.training.deploy import Predictor, defences
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.mixup_inference import MixupInference
from robustbench_cli.training.methods.smoothing import Smoothing

X = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
QUICK = {
    "averaging": "averaging:draws=2+rotation:draws=1",
    "smoothing": "smoothing:n=5",
    "bit-depth": "bit-depth",
    "jpeg": "jpeg",
    "total-variation": "total-variation:steps=5",
    "quilting": "quilting:pool=100",
}
STEADY = ("bit-depth", "jpeg", "quilting")
FORWARDS = {"smoothing": 5, "mixup-inference": 4, "bit-depth": 1, "jpeg": 1, "total-variation": 1}
FORWARDS["quilting"] = 1


def images(n: int = 40, classes: int = CLASSES) -> Images:
    pixels = torch.randint(0, 256, (n, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    return Images(pixels.byte(), torch.arange(n) % classes)


def behind(text: str, model: nn.Module | None = None) -> Predictor:
    methods = [build(Method, part) for part in text.split("+")]
    for method in methods:
        method.prepare(images())
    network = make_model() if model is None else model
    return Predictor(network, methods).eval()  # type: ignore[arg-type]


class Linear(nn.Module):
    """Logits that are the weighted means of the pixels."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        weights = torch.randn(classes, 3 * 64, generator=torch.Generator().manual_seed(2))
        self.register_buffer("weights", weights / 8)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weights.T


# --- what all of them keep ---


@pytest.mark.parametrize("name", defences())
def test_every_defence(name: str) -> None:
    predictor = behind(QUICK.get(name, f"{name}:draws={3 if name == 'mixup-inference' else 2}"))
    network = Network(predictor)
    x = X.clone().requires_grad_()
    state = {key: value.clone() for key, value in predictor.model.state_dict().items()}
    torch.manual_seed(0)
    first = network(x)
    assert first.shape == (len(X), CLASSES) and bool(first.isfinite().all())
    assert network.forwards == len(X) * FORWARDS.get(name, 2)
    (gradient,) = torch.autograd.grad(F.cross_entropy(first, torch.arange(6) % CLASSES), x)
    assert bool((gradient.flatten(1).norm(dim=1) > 0).all()), "the gradient does not get through"
    assert network.backwards == network.forwards and network.has_gradient
    second = network(X)
    assert torch.equal(first.detach(), second) == (name in STEADY), "random, or not as it should be"
    torch.manual_seed(0)
    assert torch.equal(network(X), first.detach()), "the same seed, the same answer"
    assert torch.equal(x.detach(), X)
    assert all(torch.equal(v, state[k]) for k, v in predictor.model.state_dict().items())


@pytest.mark.parametrize("name", defences())
def test_a_defence_changes_nothing_in_training(name: str) -> None:
    assert train([build(Method, name)])[1] == train([])[1]


def test_a_copy_answers_by_itself() -> None:
    predictor = behind("averaging:draws=2+jpeg")
    other = copy.deepcopy(predictor)
    other.model.head.weight.data.zero_()
    other(X)
    assert predictor.forwards == 0 and other.forwards == 2 * len(X)
    assert torch.equal(predictor(X).argmax(1), predictor.model(X).argmax(1))
    assert not torch.equal(predictor(X), other(X))


@pytest.mark.parametrize(
    "text",
    ["noisy-inference:draws=4,sigma=0.3", "averaging:draws=2+noisy-inference:draws=2,sigma=0.3"],
)
def test_the_gradient_of_a_mean_is_exact_though_activations_are_computed_again(text: str) -> None:
    predictor, x = behind(text), X.clone().requires_grad_()
    torch.manual_seed(3)
    (found,) = torch.autograd.grad(predictor(x)[:, 0].sum(), x)
    torch.manual_seed(3)
    noisy = [x + 0.3 * torch.randn_like(x) for _ in range(4)]
    mean = torch.stack([predictor.model(each).softmax(1) for each in noisy]).mean(0)
    (wanted,) = torch.autograd.grad(mean[:, 0].log().sum(), x)
    torch.testing.assert_close(found, wanted)


def test_the_answer_is_the_logarithm_of_the_mean_probability() -> None:
    predictor = behind("noisy-inference:draws=3,sigma=0.5")
    torch.manual_seed(4)
    found = predictor(X)
    torch.manual_seed(4)
    noisy = [X + 0.5 * torch.randn_like(X) for _ in range(3)]
    mean = torch.stack([predictor.model(each).softmax(1) for each in noisy]).mean(0)
    torch.testing.assert_close(found.exp(), mean)
    torch.testing.assert_close(found.softmax(1), mean)


@pytest.mark.parametrize(
    "text",
    [
        *("averaging:draws=5", "noisy-inference:sigma=0,draws=2", "rotation:degrees=0,draws=2"),
        *("crop-resize:low=1,draws=2", "resize-pad:kind=crop,low=1", "smoothing:sigma=0,n=3"),
        *("mixup-inference:keep=1,draws=3", "bit-depth:bits=16", "total-variation:weight=0,drop=0"),
    ],
)
def test_what_varies_nothing_changes_nothing(text: str) -> None:
    predictor = behind(text)
    found, wanted = predictor(X), predictor.model(X)
    if text.startswith("smoothing"):
        assert torch.equal(found.argmax(1), wanted.argmax(1))
    else:
        torch.testing.assert_close(found.softmax(1), wanted.softmax(1), atol=2e-5, rtol=1e-4)


def test_averaging_joins_random_defences_in_one_draw_each() -> None:
    predictor = behind("averaging:draws=4+rotation:draws=1+noisy-inference:draws=1")
    predictor(X)
    assert predictor.forwards == 4 * len(X)
    nested = behind("rotation:draws=2+noisy-inference:draws=3")
    nested(X)
    assert nested.forwards == 6 * len(X)


def test_the_original_resize_and_pad_shows_the_network_larger_images() -> None:
    seen: list[tuple[int, ...]] = []

    class Sees(Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(tuple(x.shape[2:]))
            return x.mean((2, 3))

    x = torch.rand(2, 3, 60, 60)
    behind("resize-pad:draws=1", Sees())(x)
    assert seen == [(66, 66)]  # 60 · 331/299
    with pytest.raises(UsageError, match="shows the network 9x9 images, which it cannot take"):
        behind("resize-pad:draws=1", Linear())(X)
    with pytest.raises(UsageError, match="a crop is no larger than its image"):
        build(Method, "resize-pad:kind=crop,high=1.1")
    with pytest.raises(UsageError, match="is above"):
        build(Method, "crop-resize:low=0.9,high=0.8")


# --- bits ---


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_fewer_bits(bits: int) -> None:
    seen: list[Tensor] = []

    class Sees(Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return super().forward(x)

    behind(f"bit-depth:bits={bits}", Sees())(X)
    levels = 2**bits - 1
    assert torch.equal(seen[0], (X * levels).round() / levels)
    assert len(seen[0].unique()) <= 2**bits


@pytest.mark.parametrize("name", ["bit-depth", "jpeg", "total-variation", "quilting"])
def test_a_hidden_gradient_is_noticed(name: str) -> None:
    network = Network(behind(f"{name}:gradient=none")).requires_grad_(False)
    (gradient,) = torch.autograd.grad(network(x := X.clone().requires_grad_()).sum(), x)
    assert not gradient.any() and not network.has_gradient


# --- smoothing ---


def test_smoothing_counts_votes() -> None:
    predictor = behind("smoothing:sigma=0.5,n=7", Linear())
    torch.manual_seed(5)
    found = predictor(X)
    torch.manual_seed(5)
    answers = [predictor.model(X + 0.5 * torch.randn_like(X)) for _ in range(7)]
    counts = sum(F.one_hot(each.argmax(1), 3) for each in answers)
    mean = torch.stack([each.softmax(1) for each in answers]).mean(0)
    torch.testing.assert_close(found.exp() * 8, counts + mean)  # ties go to the mean
    torch.testing.assert_close(found.exp().sum(1), torch.ones(len(X)))


def test_votes_have_the_gradient_of_the_mean_probability() -> None:
    model, x = Linear(), X.clone().requires_grad_()
    gradients = []
    for vote in ("hard", "soft"):
        torch.manual_seed(6)
        out = behind(f"smoothing:sigma=0.5,n=9,vote={vote}", model)(x)
        gradients.append(torch.autograd.grad(out[:, 1].sum(), x)[0])
    assert torch.equal(*gradients)


def test_the_answer_of_a_linear_network_is_unchanged_by_many_votes() -> None:
    model, x = Linear(2), torch.rand(40, 3, 8, 8)
    lead = model(x).diff(dim=1)[:, 0]
    clear = lead.abs() > 0.2  # a vote is right with Φ(lead / (σ·|w₁ - w₀|)), here above 0.65
    out = behind("smoothing:sigma=0.2,n=400", model)(x)
    assert clear.sum() > 10
    assert torch.equal(out.argmax(1)[clear], (lead[clear] > 0).long())


# --- mixup inference ---


class Tells(nn.Module):
    """Answers the class whose number is the brightness of the first pixel, in tenths."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return -50 * (10 * x[:, 0, 0, 0, None] - torch.arange(4)).abs()


def known() -> Images:
    """Forty images whose pixels are 100 + their class."""
    labels = torch.arange(40) % 4
    return Images((100 + labels)[:, None, None, None].expand(-1, 3, 8, 8).byte(), labels)


def partners(kind: str) -> tuple[Tensor, Tensor]:
    """The classes of the training images that were mixed in, and the predictions."""
    method = build(Method, f"mixup-inference:kind={kind},draws=2,few=2,drop=1,keep=0.5")
    method.prepare(known())
    shown: list[Tensor] = []
    x = (torch.arange(400) % 4 / 10)[:, None, None, None].expand(-1, 3, 8, 8)

    def rest(model: object, x: Tensor) -> Tensor:
        shown.append(x)
        return Tells()(x)

    with torch.no_grad():
        method.predict(None, x, rest)  # type: ignore[arg-type]
    classes = torch.cat([(2 * each - x)[:, 0, 0, 0] * 255 - 100 for each in shown[1:]])
    return classes.round().long(), (x[:, 0, 0, 0] * 10).long().repeat(len(shown) - 1)


def test_predicted_labels_mix_with_their_own_class() -> None:
    classes, predicted = partners("pl")
    assert torch.equal(classes, predicted)


def test_other_labels_mix_with_every_other_class_equally_often() -> None:
    classes, predicted = partners("ol")
    assert not (classes == predicted).any()
    counts = torch.bincount(4 * predicted + classes, minlength=16).view(4, 4)
    assert chisquare(counts[~torch.eye(4, dtype=torch.bool)]).pvalue > 1e-3


def test_combined_decides_by_the_loss_of_confidence() -> None:
    method = MixupInference(kind="combined", draws=6, few=2)
    method.prepare(known())
    calls: list[int] = []
    sure = torch.tensor([[8.0, 0, 0, 0], [8.0, 0, 0, 0]])
    less = torch.tensor([[8.0, 0, 0, 0], [0.0, 1, 0, 0]])  # the second is doubted
    other = torch.tensor([[0.0, 0, 9, 0]])

    def rest(model: object, x: Tensor) -> Tensor:
        calls.append(len(x))
        return sure if len(calls) == 1 else less if len(x) == 2 else other

    out = method.predict(None, torch.rand(2, 3, 8, 8), rest)  # type: ignore[arg-type]
    assert calls == [2, 2, 2, 1, 1, 1]  # itself, two for pl, and half of six where it doubts
    torch.testing.assert_close(out.exp()[0], less[0].softmax(0))
    torch.testing.assert_close(out.exp()[1], other[0].softmax(0))


def test_what_is_mixed_is_the_share_of_each() -> None:
    method = MixupInference(kind="pl", keep=0.3, draws=2)
    method.prepare(known())
    shown: list[Tensor] = []

    def rest(model: object, x: Tensor) -> Tensor:
        shown.append(x)
        return torch.eye(4)[torch.zeros(len(x), dtype=torch.long)]

    method.predict(None, X, rest)  # type: ignore[arg-type]
    torch.testing.assert_close(shown[1], 0.3 * X + 0.7 * 100 / 255)


def test_the_pool_is_small_seeded_and_holds_bytes() -> None:
    train = images(400)
    pool, again, other = Pool(train, 5, 0), Pool(train, 5, 0), Pool(train, 5, 1)
    assert pool.pixels.shape == (20, 3, 8, 8) and pool.pixels.dtype == torch.uint8
    assert torch.equal(pool.pixels, again.pixels) and not torch.equal(pool.pixels, other.pixels)
    pairs = zip(train.pixels, train.labels.tolist(), strict=True)
    lookup = {bytes(p.flatten().tolist()): label for p, label in pairs}
    classes = torch.arange(CLASSES).repeat(30)
    drawn = (pool.draw(classes) * 255).round().byte()
    assert [lookup[bytes(p.flatten().tolist())] for p in drawn] == classes.tolist()
    assert len(drawn.flatten(1).unique(dim=0)) == 20  # all of them come up


def test_a_class_without_training_images_gets_others() -> None:
    train = images(12, classes=3)
    pool = Pool(Images(train.pixels[train.labels != 1], train.labels[train.labels != 1]), 9, 0)
    classes = torch.ones(50, dtype=torch.long)
    assert set(pool.same(classes).tolist()) == {0, 2} == set(pool.other(classes).tolist())
    # a class of the network beyond those of the pool
    assert set(pool.other(3 * classes).tolist()) == {0, 2} == set(pool.same(3 * classes).tolist())


def test_training_images_are_needed() -> None:
    with pytest.raises(UsageError, match=r"call prepare\(images\) first"):
        Predictor(make_model(), [MixupInference()])(make_batch().x)


def test_smoothing_is_written_as_it_is_read() -> None:
    assert str(Smoothing(sigma=0.5, n=64)) == "smoothing:sigma=0.5,n=64"
