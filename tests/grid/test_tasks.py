"""What a worker writes on its board, and that it works the same whether it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import contents, train_job

from robustbench_cli.grid import tasks


class Held:
    """A meter that stands at what it is set to."""

    now = most = 0

    def free(self) -> int:
        return 0

    def taken(self) -> tuple[int, int]:
        return self.now, self.most

    def rest(self) -> None:
        self.most = self.now


def test_a_training_has_shown_its_need_after_the_first_epoch_it_does_here() -> None:
    """Four epochs of ten steps; a resumed one begins with the third."""
    for start in (0, 20):
        board, meter = [0, 0, 0], Held()
        report = tasks.Report(meter, board)
        report.begin(1 / 4)
        whole = []
        for step in range(start + 1, 41):
            meter.most = step
            report(None, step, 40, str)  # type: ignore[arg-type]
            whole.append(step) if board[2] == 2 else None
        assert whole == list(range(start + 12, 41))
        assert board[1] >= start + 12, "what it took until then is there before that is said"


def test_what_comes_before_the_work_itself_shows_little() -> None:
    board = [0, 0, 0]
    report = tasks.Report(Held(), board)
    report.begin(1 / 2)
    for done in (1, 90, 100):  # pictures for a training are made
        report(None, done, 100, str)  # type: ignore[arg-type]
    assert board[2] == 2
    report(None, 1, 20, str)  # type: ignore[arg-type]
    assert board[2] == 1


def test_a_training_tells_its_board_and_trains_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, meter = [7, 7, 0], Held()
    meter.now, meter.most = 5, 6
    told, alone = (train_job(tmp_path / name, epochs=3) for name in ("told", "alone"))
    monkeypatch.setattr(tasks, "_reports", [tasks.Report(meter, board)])
    finished = tasks.work(told, told.kind and told.kind.whole)
    assert finished.path == told.path and board == [5, 6, 2]
    assert tasks.rest() and board[1] == 5, "the next job begins at what is held"
    alone.run()
    weights = [contents(job.path, "*.safetensors") for job in (told, alone)]
    assert weights[0] == weights[1]


def test_a_gpu_on_which_cuda_does_not_start_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shut(Held):
        def free(self) -> int:
            raise RuntimeError("all CUDA-capable devices are busy or unavailable")

    monkeypatch.setattr(tasks, "_reports", [tasks.Report(Shut(), [0, 0, 0])])
    assert tasks.free() == 0
