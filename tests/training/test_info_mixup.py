"""Info-mixup: every reading of the thesis against a computation by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import integrate, special, stats
from small import CLASSES, make_batch, make_model, quick
from torch import Tensor, nn

from robustbench_cli.spec import build
from robustbench_cli.training.batch import Batch, training_forward
from robustbench_cli.training.bottlenecks.class_statistics import Concat, Moments, Span
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.info_mixup import ClassBottleneck, InfoMixup
from robustbench_cli.training.objective import Objective

Y = torch.arange(40) % CLASSES


def bottleneck(**settings: object) -> ClassBottleneck:
    torch.manual_seed(0)
    return ClassBottleneck(nn.Linear(6, CLASSES), InfoMixup(size=3, p=0.9, **settings))


def features(n: int = 40) -> Tensor:
    return torch.randn(n, 6)


def show(layer: ClassBottleneck, h: Tensor, y: Tensor = Y) -> Tensor:
    """One training forward; returns the labels that came out."""
    with training_forward(Batch.of(h, y[: len(h)], CLASSES)) as forward:
        layer(h)
    return forward.batch.y


def codes(layer: ClassBottleneck, h: Tensor) -> tuple[Tensor, Tensor]:
    mean, raw = layer.encode(h).detach().chunk(2, 1)
    return mean, F.softplus(raw - 5)


def squared(mean: Tensor, centres: Tensor, variances: Tensor) -> Tensor:
    """(N, classes) squared Mahalanobis distances, as the formula is written."""
    return ((mean[:, None] - centres) ** 2 / variances).sum(2)


# --- the threshold ---


@pytest.mark.parametrize(("size", "p"), [(3, 0.9), (84, 0.95), (256, 0.7)])
def test_the_threshold_is_the_chi_square_quantile(size: int, p: float) -> None:
    """By scipy's distribution, by the incomplete gamma function, and by integrating its density."""
    layer = ClassBottleneck(nn.Linear(6, 2), InfoMixup(size=size, p=p))
    assert layer.threshold == pytest.approx(stats.chi2(size).ppf(p))
    assert layer.threshold == pytest.approx(2 * special.gammaincinv(size / 2, p))
    found, _ = integrate.quad(stats.chi2(size).pdf, 0, layer.threshold, limit=200)
    assert found == pytest.approx(p, abs=1e-6)


def test_of_gaussian_codes_a_share_of_one_minus_p_are_edges() -> None:
    rng = np.random.default_rng(0)
    layer = ClassBottleneck(nn.Linear(6, 2), InfoMixup(size=10, p=0.9))
    mean = torch.from_numpy(rng.normal(0, 2, (20_000, 10))).float()
    layer.merged.add(torch.eye(2)[torch.arange(20_000) % 2], mean, torch.zeros_like(mean))
    layer.refresh()
    own = layer.distances(mean).gather(1, (torch.arange(20_000) % 2)[:, None])
    assert (own > layer.threshold).float().mean().item() == pytest.approx(0.1, abs=0.01)


# --- statistics ---


def test_moments_are_those_of_all_samples_of_the_epoch() -> None:
    layer, h = bottleneck(), features()
    for part in (slice(0, 16), slice(16, 40)):  # two batches of unequal size
        show(layer, h[part], Y[part])
    layer.end_epoch()
    mean, std = codes(layer, h)
    for c in range(CLASSES):
        own, spread = mean[c == Y], std[c == Y]
        variance = own.var(0, correction=0) + (spread**2).mean(0)
        torch.testing.assert_close(layer.means[c], own.mean(0))
        torch.testing.assert_close(layer.precisions[c], 1 / variance, rtol=1e-3, atol=1e-3)


def test_merging_two_batches_is_the_formula_of_the_thesis() -> None:
    """N = N1 + N2, m = (N1 m1 + N2 m2) / N, v = sum of N_i (v_i + m_i^2) / N - m^2; by hand."""
    merged = Moments(1, 1)
    for values in ([1.0, 3.0], [10.0]):
        column = torch.tensor(values)[:, None]
        merged.add(torch.ones(len(values), 1), column, torch.full_like(column, 0.5))
    means, variances = merged.result()
    m = (2 * 2.0 + 1 * 10.0) / 3
    v = (2 * (1.0 + 0.25 + 2.0**2) + 1 * (0.0 + 0.25 + 10.0**2)) / 3 - m**2
    assert means.item() == pytest.approx(m)
    assert variances.item() == pytest.approx(v)


def test_span_is_the_mean_of_means_with_the_widest_gap() -> None:
    """Batches 2 ± 1 and 10 ± 2: mean 6, from 1 to 12, so a deviation of 5.5."""
    merged = Span(2, 1)
    for values in ([1.0, 3.0], [8.0, 12.0, 8.0, 12.0]):
        column = torch.tensor(values)[:, None]
        y = torch.tensor([1.0, 0.0]).expand(len(values), 2)  # class 1 never occurs
        merged.add(y, column, torch.zeros_like(column))
    means, variances = merged.result()
    assert means[0].item() == pytest.approx(6.0)
    assert variances[0].item() == pytest.approx(5.5**2)
    assert merged.known.tolist() == [1.0, 0.0] and variances.isfinite().all()
    merged.reset()
    assert not merged.known.any()
    assert torch.equal(merged.low, torch.full((2, 1), torch.inf))


def test_concat_counts_all_history_as_one_sample() -> None:
    """Mean 2 of the first batch, beside 10 and 12: mean 8, mean square (4 + 100 + 144) / 3."""
    merged = Concat(2, 1)
    for values in ([1.0, 3.0], [10.0, 12.0]):
        column = torch.tensor(values)[:, None]
        y = torch.tensor([1.0, 0.0]).expand(len(values), 2)
        merged.add(y, column, torch.zeros_like(column))
    means, variances = merged.result()
    assert means[0].item() == pytest.approx(8.0)
    assert variances[0].item() == pytest.approx((4 + 100 + 144) / 3 - 64)
    absent = torch.tensor([[0.0, 1.0]])
    merged.add(absent, torch.tensor([[5.0]]), torch.tensor([[0.0]]))
    assert merged.result()[0].tolist() == [[8.0], [5.0]], "an absent class stays as it was"


@pytest.mark.parametrize("merge", ["moments", "span", "concat"])
def test_one_batch_is_the_same_in_every_reading_of_its_mean(merge: str) -> None:
    layer, h = bottleneck(merge=merge), features()
    show(layer, h)
    layer.end_epoch()
    mean, std = codes(layer, h)
    expected = torch.stack([mean[c == Y].mean(0) for c in range(CLASSES)])
    spread = torch.stack(
        [mean[c == Y].var(0, correction=0) + (std[c == Y] ** 2).mean(0) for c in range(CLASSES)]
    )
    torch.testing.assert_close(layer.means, expected)
    torch.testing.assert_close(1 / layer.precisions, spread, rtol=1e-3, atol=1e-4)


# --- which samples move, and where to ---


def gaussians(layer: ClassBottleneck, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes of h, and (m, v) of the classes, recomputed."""
    mean, std = codes(layer, h)
    means = torch.stack([mean[c == Y].mean(0) for c in range(CLASSES)])
    variances = torch.stack(
        [mean[c == Y].var(0, correction=0) + (std[c == Y] ** 2).mean(0) for c in range(CLASSES)]
    )
    return mean, means, variances


@pytest.mark.parametrize("distance", ["squared", "root"])
def test_edge_samples_move_towards_the_nearest_other_class(distance: str) -> None:
    layer, h = bottleneck(distance=distance), features()
    assert torch.equal(show(layer, h), Batch.of(h, Y, CLASSES).y), "nothing in the first epoch"
    assert layer.end_epoch() == 0
    mean, means, variances = gaussians(layer, h)
    d2 = squared(mean, means, variances)
    far = d2[torch.arange(40), Y]
    far = far if distance == "squared" else far.sqrt()
    edge = far > stats.chi2.ppf(0.9, 3)
    assert (0 < edge.sum() < 40) if distance == "squared" else edge.sum() == 0
    d2[torch.arange(40), Y] = torch.inf
    labels = show(layer, h)
    change = labels - Batch.of(h, Y, CLASSES).y
    assert torch.equal(change.abs().sum(1) > 0, edge)
    assert torch.equal(change.argmax(1)[edge], d2.argmin(1)[edge])
    torch.testing.assert_close(labels.sum(1), torch.ones(40))
    assert layer.end_epoch() == pytest.approx(edge.float().mean().item())


def test_the_printed_root_fires_where_the_root_itself_is_beyond_the_quantile() -> None:
    layer = bottleneck(distance="root")
    show(layer, features())
    layer.end_epoch()
    layer.threshold = 1.5
    h = features()
    mean, _ = codes(layer, h)
    far = squared(mean, layer.means, 1 / layer.precisions)[torch.arange(40), Y].sqrt()
    edge = far > 1.5
    assert 0 < edge.sum() < 40
    assert torch.equal((show(layer, h) != Batch.of(h, Y, CLASSES).y).any(1), edge)


def test_running_statistics_are_of_this_epoch_and_include_the_batch() -> None:
    layer = bottleneck(statistics="running")
    first, second = features(), features()
    show(layer, first)
    labels = show(layer, second)
    mean = torch.cat([codes(layer, first)[0], codes(layer, second)[0]])
    std = torch.cat([codes(layer, first)[1], codes(layer, second)[1]])
    both = torch.cat([Y, Y])
    means = torch.stack([mean[both == c].mean(0) for c in range(CLASSES)])
    variances = torch.stack(
        [mean[both == c].var(0, correction=0) + (std[both == c] ** 2).mean(0) for c in range(4)]
    )
    torch.testing.assert_close(layer.means, means)
    d2 = squared(mean[40:], means, variances)
    edge = d2[torch.arange(40), Y] > stats.chi2.ppf(0.9, 3)
    assert 0 < edge.sum() < 40
    assert torch.equal((labels != Batch.of(second, Y, CLASSES).y).any(1), edge)
    layer.end_epoch()
    third = features()
    show(layer, third)
    alone = torch.stack([codes(layer, third)[0][c == Y].mean(0) for c in range(CLASSES)])
    torch.testing.assert_close(layer.means, alone)  # each epoch begins anew


@pytest.mark.parametrize("rivals", ["known", "batch"])
def test_rivals_are_all_known_classes_or_those_of_the_batch(rivals: str) -> None:
    layer = bottleneck(rivals=rivals)
    show(layer, 3 * features())
    layer.end_epoch()
    layer.threshold = 0.0  # every sample is an edge sample
    h, y = features(), Y % 2
    labels = show(layer, h, y)
    mean, _ = codes(layer, h)
    d2 = squared(mean, layer.means, 1 / layer.precisions)
    d2[torch.arange(40), y] = torch.inf
    if rivals == "batch":
        d2[:, 2:] = torch.inf
    change = labels - Batch.of(h, y, CLASSES).y
    assert torch.equal(change.argmax(1), d2.argmin(1))
    assert (labels[:, 2:].sum() > 0) == (rivals == "known")


def test_a_class_never_seen_is_nobodys_rival() -> None:
    layer, h, y = bottleneck(), features(), Y % 2  # classes 2 and 3 never occur
    show(layer, 3 * h, y)
    layer.end_epoch()
    assert not show(layer, 3 * h, y)[:, 2:].any()


# --- how much they move ---


def fixed(*values: float) -> Callable[..., float]:
    """A Beta distribution that gives these shares in turn."""
    left = list(values)
    return lambda a, b: left.pop(0)


def shares_of(
    monkeypatch: pytest.MonkeyPatch, drawn: tuple[float, ...], **settings: object
) -> Tensor:
    """The share that stays with each of three samples which all are edges."""
    layer = bottleneck(**settings)
    show(layer, features())
    layer.end_epoch()
    layer.threshold = 0.0
    h, seen = features(3), {}
    decode = layer.decode.forward
    layer.decode.forward = lambda u: decode(seen.setdefault("code", u))
    torch.manual_seed(5)
    with monkeypatch.context() as patch, training_forward(Batch.of(h, Y[:3], CLASSES)) as forward:
        patch.setattr("random.betavariate", fixed(*drawn))
        layer(h)
    torch.manual_seed(5)
    mean, std = codes(layer, h)
    u = mean + std * torch.randn_like(std)
    y, own = forward.batch.y, forward.batch.y[torch.arange(3), Y[:3]]
    rival = (y - F.one_hot(Y[:3], CLASSES)).argmax(1)
    expected = own[:, None] * u + (1 - own[:, None]) * layer.means[rival]
    torch.testing.assert_close(seen["code"], expected)  # the code moves as its label does
    return own


def test_one_share_for_the_batch_or_one_for_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shares_of(monkeypatch, (0.3,)).tolist() == pytest.approx([0.3] * 3)
    each = shares_of(monkeypatch, (0.3, 0.6, 0.9), per_sample=True)
    assert each.tolist() == pytest.approx([0.3, 0.6, 0.9])


def test_the_larger_share_may_stay_with_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shares_of(monkeypatch, (0.3,), mostly_own=True).tolist() == pytest.approx([0.7] * 3)
    each = shares_of(monkeypatch, (0.3, 0.6, 0.9), per_sample=True, mostly_own=True)
    assert each.tolist() == pytest.approx([0.7, 0.6, 0.9])


# --- and the rest ---


def test_no_gradient_reaches_the_statistics_and_the_penalty_is_of_the_unmixed_code() -> None:
    layer, h = bottleneck(), features()
    show(layer, h)
    layer.end_epoch()
    layer.threshold = 0.0
    with training_forward(Batch.of(h, Y, CLASSES)) as forward:
        layer(h)
    mean, std = codes(layer, h)
    normal = torch.distributions.Normal(mean, std)
    kl = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(forward.penalties[0] / 1e-3, kl.sum(1).mean(), rtol=1e-4, atol=1e-4)
    assert not any(buffer.requires_grad for buffer in layer.buffers())


def test_mixed_precision_keeps_the_statistics_exact() -> None:
    exact, coarse, h = bottleneck(), bottleneck(), features()
    show(exact, h)
    with torch.autocast("cpu", torch.bfloat16):
        show(coarse, h)
    mean = coarse.encode(h).detach().chunk(2, 1)[0]
    sums = torch.stack([mean[c == Y].sum(0) for c in range(CLASSES)])
    torch.testing.assert_close(coarse.merged.sums, sums, rtol=0.02, atol=0.02)
    assert coarse.merged.sums.dtype == torch.float32
    assert exact.merged.counts.tolist() == coarse.merged.counts.tolist()


READINGS = ["distance=root", "statistics=running", "merge=span", "merge=concat", "rivals=batch"]


@pytest.mark.parametrize("reading", [*READINGS, "per-sample=true", "mostly-own=true"])
def test_every_reading_trains_and_can_be_written(reading: str) -> None:
    text = f"info-mixup:size=4,p=0.1,{reading}"
    methods, model = quick(text), make_model()
    assert str(build(Method, str(methods[0]))) == str(methods[0])
    objective = Objective(model, methods)
    model.train()
    for _ in range(2):
        loss = objective(make_batch()).loss
        loss.backward()
        assert torch.isfinite(loss)
        row = methods[0].end_epoch(model)
    assert 0 <= row["edge"] <= 1
