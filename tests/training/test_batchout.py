"""Batchout: shifts against a loop over samples, who is a partner, and which layers move."""

from __future__ import annotations

import pytest
import torch
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor, nn

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.models.model import Model
from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch, training_forward
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.batchout import Batchout, Shifted
from robustbench_cli.training.objective import Objective, cross_entropy


def chain(depth: int = 6) -> Model:
    """`depth` activations that pass everything on: their inputs are the images, plus shifts."""
    layers = [nn.Sequential(nn.Identity(), nn.ReLU()) for _ in range(depth)]
    return Model(nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, CLASSES)), (), "7", [0.0], [1.0])


def images(n: int = 8) -> Batch:
    return Batch.of(1 + torch.rand(n, 1, 2, 2), torch.arange(n) % CLASSES, CLASSES)


def watched(text: str, model: Model, batch: Batch) -> tuple[Batchout, list[tuple[Tensor, Tensor]]]:
    """The method, and the input and output of each activation it has wrapped, in one step."""
    (method,) = quick(text)
    assert isinstance(method, Batchout)
    objective, seen = Objective(model, [method]), []
    for shifted in (m for m in model.modules() if isinstance(m, Shifted)):
        shifted.register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
    objective(batch)
    return method, seen


# --- the shift ---


@pytest.mark.parametrize("partner", ["any", "exchange"])
def test_a_shift_is_the_papers_formula_sample_by_sample(partner: str) -> None:
    h, y = torch.randn(9, 3, 4, 4), torch.zeros(9, CLASSES)
    method = Batchout(partner=partner)  # type: ignore[arg-type]
    partners, eta = method._partners(y, 4, 1)[0], torch.rand(4)
    layer = Shifted(nn.ReLU(), after=False, noise=False)
    layer.plan = partners, eta
    with training_forward(Batch(h, y)):
        found = layer(h)
    for j in range(9):
        expected = h[j]
        if j < 4:
            expected = h[j] + eta[j] * (h[partners[j]] - h[j])
        torch.testing.assert_close(found[j], expected.relu())


def test_the_gradient_does_not_see_the_shift() -> None:
    layer = Shifted(nn.Identity(), after=False, noise=False)
    layer.plan = torch.tensor([3, 0]), 0.4
    h = torch.randn(4, 5, requires_grad=True)
    upstream = torch.randn(4, 5)
    with training_forward(Batch(h, h)):
        out = layer(h)
    assert not torch.equal(out, h)
    (gradient,) = torch.autograd.grad(out, h, upstream)
    assert torch.equal(gradient, upstream)


def test_shifting_and_relu_in_one_pass_have_the_gradients_of_one_after_the_other() -> None:
    together, first = Shifted(nn.ReLU(), False, False), Shifted(nn.Identity(), False, False)
    together.plan = first.plan = torch.tensor([3, 0]), torch.tensor([0.4, -0.2])
    h = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    upstream = torch.randn(4, 5, dtype=torch.double, requires_grad=True)
    with training_forward(Batch(h, h)):
        found, expected = together(h), first(h).relu()
    assert torch.equal(found, expected)
    slopes = [torch.autograd.grad(o, h, upstream, create_graph=True)[0] for o in (found, expected)]
    assert torch.equal(*slopes)
    twice = [torch.autograd.grad(slope.square().sum(), upstream)[0] for slope in slopes]
    assert torch.equal(*twice)
    assert twice[0].any()


def test_noise_has_the_length_of_the_activation() -> None:
    layer = Shifted(nn.Identity(), after=False, noise=True)
    layer.plan = torch.zeros(3, dtype=torch.long), 0.2
    h = torch.randn(5, 3, 8, 8)
    with training_forward(Batch(h, h)):
        moved = (layer(h) - h).flatten(1).norm(dim=1)
    torch.testing.assert_close(moved[:3], 0.2 * h[:3].flatten(1).norm(dim=1))
    assert not moved[3:].any()


def test_the_first_half_moves_and_no_label_changes() -> None:
    batch, model = images(), chain()
    seen: list[Tensor] = []

    class Labels(Method):
        def targets(self, logits: Tensor, y: Tensor) -> Tensor:
            seen.append(y)
            return y

    Objective(model, [build(Method, "batchout:size=0.5"), Labels()])(batch)
    assert torch.equal(seen[0], batch.y)
    _, inputs = watched("batchout:size=0.5,partner=exchange", chain(), batch)
    h, out = inputs[0]
    torch.testing.assert_close(out[:4], 0.5 * h[:4] + 0.5 * h.flip(0)[:4])
    assert torch.equal(out[4:], h[4:])


@pytest.mark.parametrize("place", ["before", "after"])
def test_either_side_of_the_activation_may_move(place: str) -> None:
    h = torch.randn(6, 5)
    layer = Shifted(nn.ReLU(), after=place == "after", noise=False)
    layer.plan = torch.tensor([1, 2, 3]), -0.3
    with training_forward(Batch(h, h)):
        out = layer(h)
    base = h if place == "before" else h.relu()
    expected = base[:3] - 0.3 * (base[1:4] - base[:3])
    torch.testing.assert_close(out[:3], expected.relu() if place == "before" else expected)


# --- partners ---


def drawn(partner: str, y: Tensor, draws: int = 200) -> Tensor:
    """(draws, n): the partners of every sample."""
    return Batchout(partner=partner)._partners(y, len(y), draws)  # type: ignore[arg-type]


def test_partners_of_the_paper_are_anybody_with_replacement() -> None:
    partners = drawn("any", torch.zeros(5, CLASSES), draws=4000)
    counts = torch.bincount(partners.flatten(), minlength=5) / partners.numel()
    assert (counts - 0.2).abs().max() < 0.02
    assert any(len(row.unique()) < 5 for row in partners)


def test_partners_by_class() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    y = nn.functional.one_hot(labels, CLASSES).float()
    same, different = labels[drawn("same", y)], labels[drawn("different", y)]
    assert (same == labels).all() and (different != labels).all()
    twins = drawn("same", y, draws=3000)[:, 2]
    assert sorted(twins.unique().tolist()) == [2, 3, 4]
    assert (torch.bincount(twins, minlength=5)[2:] / 3000 - 1 / 3).abs().max() < 0.05


def test_a_batch_of_one_class_has_no_different_partner() -> None:
    y = torch.eye(CLASSES)[[1, 1, 1]]
    assert torch.equal(drawn("different", y), torch.arange(3).expand(200, 3))


def test_exchanged_partners_are_mutual() -> None:
    partners = drawn("exchange", torch.zeros(6, CLASSES), draws=1)[0]
    assert torch.equal(partners[partners], torch.arange(6))
    assert partners[0] == 5


@pytest.mark.parametrize(("redraw", "kinds"), [("true", 3), ("false", 1)])
def test_partners_are_drawn_for_each_layer_or_once(redraw: str, kinds: int) -> None:
    model, plans = chain(3), []
    objective = Objective(model, quick(f"batchout:size=0.1,share=1,redraw={redraw}"))
    for layer in (m for m in model.modules() if isinstance(m, Shifted)):
        layer.register_forward_hook(lambda m, _, __: plans.append(tuple(m.plan[0].tolist())))
    objective(images(16))
    assert len(plans) == 3 and len(set(plans)) == kinds


def test_two_forwards_of_one_step_shift_alike() -> None:
    """So that TRADES, standing to the right, compares like with like."""
    plans: list[Tensor] = []
    model = make_model()
    objective = Objective(model, quick("batchout:size=0.3+trades"))
    first = next(m for m in model.modules() if isinstance(m, Shifted))
    first.register_forward_hook(lambda m, _, __: plans.append(m.plan[0]))
    objective(make_batch())
    assert torch.equal(plans[-1], plans[-2])


# --- sizes ---


def sizes(text: str, depth: int = 6, steps: int = 1) -> list[list[float]]:
    """η of each layer's first samples, from how far the images move in each step."""
    found, batch = [], images()
    for _ in range(steps):
        _, seen = watched(f"{text},partner=exchange", chain(depth), batch)
        for h, out in seen:
            eta = (out - h)[:2].flatten(1).mean(1) / (h.flip(0) - h)[:2].flatten(1).mean(1)
            found.append([round(v, 4) for v in eta.tolist()])
    return found


def test_a_fixed_size_and_an_early_one() -> None:
    assert sizes("batchout:size=0.1,early=0.05,early-layers=2", 4) == [
        *[[0.05, 0.05]] * 2,
        *[[0.1, 0.1]] * 2,
    ]


def test_sizes_drawn_for_each_layer_or_each_sample() -> None:
    by_layer = sizes("batchout:size=0.4,draw=batch")
    assert all(a == b for a, b in by_layer) and len({a for a, _ in by_layer}) == 6
    by_sample = sizes("batchout:size=0.4,draw=sample")
    assert all(a != b for a, b in by_sample)
    assert all(0 <= v <= 0.4 for pair in by_layer + by_sample for v in pair)


def test_one_of_several_sizes_serves_a_whole_batch() -> None:
    found = sizes("batchout:size=0.3,-0.2,0,odds=0.6,0.3,0.1", depth=2, steps=200)
    batches = [(found[i], found[i + 1]) for i in range(0, 400, 2)]
    assert all(a == b and a[0] == a[1] for a, b in batches)
    shares = {v: sum(a[0] == v for a, _ in batches) / 200 for v in (0.3, -0.2, 0.0)}
    assert sum(shares.values()) == 1
    for value, odds in {0.3: 0.6, -0.2: 0.3, 0.0: 0.1}.items():
        assert abs(shares[value] - odds) < 0.15


@pytest.mark.parametrize(
    ("data", "text", "resolved"),
    [
        ("mnist", "batchout", "size=0.1,draw=fixed,early=0.05,early-layers=1"),
        ("cifar10", "batchout", "size=0.15,draw=sample,early=0.1,early-layers=4"),
        ("cifar10", "batchout:size=0.3", "size=0.3"),
    ],
)
def test_sizes_of_the_paper(data: str, text: str, resolved: str) -> None:
    method = build(Method, text)
    method.adapt(build(Dataset, data))
    assert str(method) == f"batchout:{resolved}"
    assert build(Method, str(method)) == method


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batchout:size=0.3,-0.2,odds=0.6", "one probability for each size"),
        ("batchout:size=0.3,odds=-1", "one probability for each size"),
        ("batchout:size=a", "size=a: 'a' is no number"),
    ],
)
def test_sizes_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        build(Method, text)
    assert "\n" not in str(refusal.value)


# --- layers ---


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("layers=all", [1, 2, 3, 4, 5, 6]),
        ("layers=single", [4]),
        ("layers=single,start=2", [2]),
        ("layers=middle", [4, 5, 6]),
        ("layers=alternate,start=2", [2, 4, 6]),
        ("layers=alternate", [4, 6]),
    ],
)
def test_which_layers_move(text: str, chosen: list[int]) -> None:
    model = chain()
    build(Method, f"batchout:{text}").install(model)
    blocks = list(model.network.children())[:6]
    found = [i for i, block in enumerate(blocks, 1) if isinstance(block[1], Shifted)]  # type: ignore[index]
    assert found == chosen


def test_the_middle_of_vgg19_is_its_first_convolution_with_512_channels() -> None:
    from robustbench_cli.models.architectures.vgg19_bn import VGG19BN
    from robustbench_cli.models.model import make

    with torch.device("meta"):
        model = make(VGG19BN(), (3, 32, 32), 10)
    build(Method, "batchout:layers=single").install(model)
    modules = list(model.modules())
    (at,) = (i for i, m in enumerate(modules) if isinstance(m, Shifted))
    convolutions = [m.out_channels for m in modules[:at] if isinstance(m, nn.Conv2d)]
    assert convolutions.count(512) == 1


def test_a_layer_behind_the_last_is_refused() -> None:
    with pytest.raises(UsageError, match="last activation is number 6; type a smaller one"):
        build(Method, "batchout:layers=single,start=7").install(chain())


# --- when it acts ---


def test_evaluation_and_attacks_see_the_plain_network() -> None:
    model, batch = make_model().eval(), make_batch()
    plain = model(batch.x)
    attack, batchout = quick("pgd-at:eps=0.1,attack-bn=train,random-start=false+batchout:size=0.5")
    expected = attack.perturb(model, batch.x, lambda z: cross_entropy(z, batch.y))  # type: ignore[attr-defined]
    batchout.install(model)
    assert torch.equal(model(batch.x), plain)
    found: list[Tensor] = []

    def rest(model: Model, given: Batch):  # type: ignore[no-untyped-def]
        found.append(attack.perturb(model, given.x, lambda z: cross_entropy(z, given.y)))  # type: ignore[attr-defined]
        return cross_entropy(model(given.x), given.y), given.y

    batchout.step(model, batch, rest)  # the shifts are planned while the attack runs
    assert torch.equal(found[0], expected)


@pytest.mark.parametrize("order", ["batchout:size=0.3+sat", "sat+batchout:size=0.3"])
@pytest.mark.parametrize("smooth", ["full", "backward"])
def test_it_shifts_smooth_activations_too_and_leaves_no_trace(order: str, smooth: str) -> None:
    methods = quick(order.replace("sat", f"sat:smooth={smooth}"))
    model = make_model()
    Objective(model, methods)(make_batch())
    kinds = {type(m.activation).__name__ for m in model.modules() if isinstance(m, Shifted)}
    assert kinds == {"Softplus" if smooth == "full" else "SmoothBackwardReLU"}
    for method in reversed(methods):
        method.deploy(model)
    assert not any(isinstance(m, Shifted) for m in model.modules())
