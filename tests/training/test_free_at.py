"""Free adversarial training: a perturbation that outlives its batch, moved by the same pass."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small import make_batch, make_model, quick
from tiny import tiny
from torch import Tensor, nn

from robustbench_cli.data.dataset import open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.models.model import Model
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.methods.free_at import FreeTraining
from robustbench_cli.training.objective import Objective
from robustbench_cli.training.train import Trainer

SLOPE = torch.tensor([1.0, -2.0])
UP = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])  # up the loss of class 0, and of class 1


def linear() -> Model:
    """Two classes, two pixels; the second class's logit is SLOPE . x, the first's is 0."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.stack([torch.zeros(2), SLOPE])
    return Model(nn.Sequential(nn.Flatten(), layer), (), "1", [0.0], [1.0])


def points(rows: list[list[float]], labels: list[int]) -> Batch:
    return Batch.of(torch.tensor(rows).view(-1, 1, 1, 2), torch.tensor(labels), 2)


def replay(method: FreeTraining, batch: Batch, times: int = 1) -> Tensor:
    """The perturbation after some passes with the weights held still."""
    objective = Objective(linear(), [method])
    for _ in range(times):
        objective(batch).loss.backward()
    assert method.delta is not None
    return method.delta[:, 0, 0].clone()


def test_one_replay_of_zero_epsilon_is_plain() -> None:
    batches = [make_batch(n) for n in (8, 8, 5)]
    trained = []
    for text in ("free-at:replays=1,eps=0", "plain"):
        model = make_model()
        objective = Objective(model, quick(text))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        assert objective.steps_per_batch == 1
        for batch in batches:
            optimizer.zero_grad()
            objective(batch).loss.backward()
            optimizer.step()
        trained.append(model.state_dict())
    assert all(torch.equal(trained[0][k], trained[1][k]) for k in trained[0])


def test_the_perturbation_climbs_by_eps_and_stays_in_the_ball() -> None:
    batch = points([[0.5, 0.5], [0.5, 0.5]], [0, 1])
    method = FreeTraining(eps=0.1)
    torch.testing.assert_close(replay(method, batch), 0.1 * UP)
    torch.testing.assert_close(replay(method, batch, times=3), 0.1 * UP)
    # the next batch starts from it: its labels are the other way round, so one step leads to 0
    assert replay(method, points([[0.5, 0.5], [0.5, 0.5]], [1, 0])).abs().max() < 1e-7


def test_the_network_is_trained_on_the_moved_and_clipped_image() -> None:
    seen: list[Tensor] = []
    model, method = linear(), FreeTraining(eps=0.1)
    model.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    objective = Objective(model, [method])
    batch = points([[0.95, 0.5]], [0])
    objective(batch).loss.backward()
    objective(batch).loss.backward()
    torch.testing.assert_close(seen[0], batch.x)
    torch.testing.assert_close(seen[1].flatten(), torch.tensor([1.0, 0.4]))


def test_a_smaller_batch_takes_the_first_rows_and_leaves_the_others() -> None:
    method = FreeTraining(eps=0.1)
    full = points([[0.5, 0.5]] * 3, [0, 1, 0])
    before = replay(method, full)
    after = replay(method, points([[0.5, 0.5]], [1]))  # the first row goes back
    assert after[0].abs().max() < 1e-7
    assert torch.equal(after[1:], before[1:])


@pytest.mark.parametrize("through_clip", [False, True])
def test_a_clipped_pixel_rests_only_in_the_authors_code(through_clip: bool) -> None:
    method = FreeTraining(eps=0.1, through_clip=through_clip)
    edge = points([[0.0, 0.5]], [1])
    assert torch.allclose(replay(method, edge), 0.1 * UP[1:])  # the first pixel is now clipped
    back = replay(method, points([[0.0, 0.5]], [0]), times=2)
    expected = torch.tensor([[-0.1 if through_clip else 0.1, -0.1]])
    torch.testing.assert_close(back, expected)


def test_a_step_whose_scaled_gradient_overflows_leaves_the_perturbation() -> None:
    method = FreeTraining(eps=0.1)
    batch = points([[0.5, 0.5]], [0])
    before = replay(method, batch)
    (Objective(linear(), [method])(batch).loss * torch.inf).backward()
    method._climb(batch.x, torch.full_like(batch.x, torch.nan))
    assert method.delta is not None and torch.equal(method.delta[:, 0, 0], before)


def test_the_trainer_steps_once_per_replay(tmp_path: Path) -> None:
    trainer = Trainer(
        tiny(method="free-at:replays=3"), open_data(Spirals(samples=40), Path()), tmp_path
    )
    trainer.run()
    assert trainer.per_epoch == 3 * 2  # 36 points in batches of 32
    assert trainer.schedule.last_epoch == 2 * trainer.per_epoch
    assert trainer.methods[0].delta.shape == (32, 1, 1, 2)  # type: ignore[attr-defined]


def test_an_attack_that_cuts_the_gradient_is_told(caplog: pytest.LogCaptureFixture) -> None:
    for text, told in {"free-at+pgd-at": 1, "pgd-at+free-at": 0, "free-at+mixup": 0}.items():
        caplog.clear()
        methods, model = quick(text), make_model()
        objective = Objective(model, methods)
        with caplog.at_level(logging.WARNING):
            objective(make_batch()).loss.backward()
            for method in methods:
                method.end_epoch(model)
        assert len(caplog.records) == told, text
