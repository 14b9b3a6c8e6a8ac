"""CutMix: what is pasted, where, and that labels follow the area."""

from __future__ import annotations

import random

import pytest
import torch
from small import make_model, quick
from torch import Tensor

from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.cutmix import draw_span
from robustbench_cli.training.objective import Objective


class Seen(Method):
    """Keeps the batch that arrives at it."""

    batch: Batch

    def step(self, model, batch, rest):  # type: ignore[no-untyped-def]
        Seen.batch = batch
        return rest(model, batch)


def cut(n: int, height: int, width: int, seed: int) -> tuple[Batch, Batch]:
    """A batch whose image i has the one colour i/n and the one class i, and what became of it."""
    objective = Objective(make_model(), [*quick("cutmix:p=1"), Seen()])
    random.seed(seed)
    torch.manual_seed(seed)
    colour = (torch.arange(n) / n)[:, None, None, None].expand(n, 3, height, width)
    batch = Batch(colour.clone(), torch.eye(n)[:, :4] + 0)
    objective(batch)
    return batch, Seen.batch


@pytest.mark.parametrize("seed", range(12))
def test_labels_are_shares_of_the_area(seed: int) -> None:
    n, height, width = 4, 12, 8
    _, mixed = cut(n, height, width, seed)
    for i in range(n):
        pixels = mixed.x[i, 0].flatten()
        counted = torch.stack([(pixels - j / n).abs() < 1e-6 for j in range(n)]).float().mean(1)
        torch.testing.assert_close(mixed.y[i], counted)
        assert torch.equal(mixed.x[i, 0], mixed.x[i, 1]), "one box for all channels"


def box_of(pasted: Tensor) -> tuple[int, int, int, int]:
    rows, columns = pasted.any(1).nonzero()[:, 0], pasted.any(0).nonzero()[:, 0]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def test_one_box_for_the_whole_batch() -> None:
    boxes = set()
    for seed in range(20):
        batch, mixed = cut(4, 12, 8, seed)
        found = {box_of(p) for p in (mixed.x != batch.x)[:, 0] if p.any()}
        assert len(found) <= 1
        for i, (top, bottom, left, right) in enumerate(found):
            changed = (mixed.x != batch.x)[:, 0, top:bottom, left:right]
            assert changed.flatten(1).all(1).any(), f"box {i} is not a filled rectangle"
        boxes |= found
    assert len(boxes) > 10


def test_spans_follow_the_authors_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    # side 32, λ = 0.75: int(32 · ½) = 16 pixels, 8 to either side of the centre, clipped
    for centre, expected in {16: (8, 24), 3: (0, 11), 31: (23, 32)}.items():
        monkeypatch.setattr(random, "randrange", lambda _, at=centre: at)
        assert draw_span(32, 0.75) == expected
    monkeypatch.setattr(random, "randrange", lambda _: 14)
    assert draw_span(28, 0.9) == (10, 18)  # int(28 · √0.1) = 8
    assert draw_span(28, 1.0) == (14, 14)
    assert draw_span(28, 0.0) == (0, 28)


def test_boxes_of_uniform_lambda_have_uniform_area_before_they_are_clipped() -> None:
    random.seed(0)
    keep = [random.betavariate(1, 1) for _ in range(4000)]
    side = 1000
    areas = []
    for k in keep:
        start, end = draw_span(side, k)
        if start > 0 and end < side:  # not clipped: the span is 2 · (int(side · √(1-λ)) // 2)
            areas.append(((end - start) / side) ** 2 - (1 - k))
    assert len(areas) > 500 and max(map(abs, areas)) < 0.005


def test_a_share_p_of_the_batches_is_mixed() -> None:
    objective = Objective(make_model(), [*quick("cutmix:p=0.3"), Seen()])
    random.seed(1)
    batch = Batch(torch.rand(2, 3, 8, 8), torch.eye(4)[:2])
    mixed = 0
    for _ in range(300):
        objective(batch)
        mixed += Seen.batch is not batch
    assert mixed / 300 == pytest.approx(0.3, abs=0.08)
