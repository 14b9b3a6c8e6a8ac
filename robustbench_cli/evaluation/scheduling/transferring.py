"""One chunk of images, crafted on a source and shown to its targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.network import Network
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.verification.ball import distance, inside, into_ball
from robustbench_cli.evaluation.verification.verify import examine, recheck
from robustbench_cli.runs.parts import Part


class TransferTarget(NamedTuple):
    """A network that is shown the images, and what it says of the chunk's unchanged ones, (n,)."""

    name: str
    network: Network
    clean: np.ndarray


class Transferred(NamedTuple):
    """One batch at one epsilon."""

    row: int
    where: np.ndarray  # positions in the chunk
    distance: np.ndarray  # NaN where the unchanged image was shown
    answers: list[np.ndarray]  # of each viewer; -1 for NaN
    flaws: dict[int, str]
    failed: dict[int, str]


def transfer_chunk(chunk: Chunk, targets: Sequence[TransferTarget]) -> Part:
    """Arrays (epsilons, n): distance, attacked, and the predictions of the source and each target.

    Also what was wrong: `rejected` images, which were not shown, or answers (with the target's
    name), which were not used; and `failed` samples, which the attack could not try.
    """
    grid, n = chunk.plan.epsilons, len(chunk.samples)
    viewers = [TransferTarget("source", chunk.network, chunk.clean.cpu().numpy()), *targets]
    tables = [np.tile(viewer.clean, (len(grid), 1)) for viewer in viewers]
    distances, attacked = np.full((len(grid), n), np.nan), np.zeros((len(grid), n), bool)
    rejected, failed = list[Part](), list[Part]()
    for shown in _transferred(chunk, [viewer.network for viewer in viewers]):
        row, where = shown.row, shown.where
        attacked[row, where], distances[row, where] = True, shown.distance
        at = {"eps": grid[row].text}
        rejected += _entries(chunk, shown, shown.flaws, at)
        failed += _entries(chunk, shown, shown.failed, at if chunk.plan.attack.budget else {})
        seen = np.isfinite(shown.distance)
        for viewer, table, answer in zip(viewers, tables, shown.answers, strict=True):
            table[row, where[seen & (answer >= 0)]] = answer[seen & (answer >= 0)]
            silent = {int(i): "the target answers NaN" for i in (answer < 0).nonzero()[0]}
            rejected += _entries(chunk, shown, silent, {**at, "target": viewer.name})
    return {
        "distance": distances.tolist(),
        "attacked": attacked.tolist(),
        "source_prediction": tables[0].tolist(),
        "predictions": [table.tolist() for table in tables[1:]],
        "rejected": rejected,
        "failed": failed,
    }


def _entries(
    chunk: Chunk, shown: Transferred, reasons: Mapping[int, str], more: Mapping[str, Any]
) -> list[Part]:
    return [
        {"index": chunk.first + int(shown.where[i]), **more, "reason": reason}
        for i, reason in sorted(reasons.items())
    ]


def _transferred(chunk: Chunk, networks: Sequence[Network]) -> Iterator[Transferred]:
    attack = chunk.plan.attack
    rows = [row for row, eps in enumerate(chunk.plan.epsilons) if eps.value > 0]
    if attack.budget:
        todo = torch.arange(len(chunk.samples), device=chunk.clean.device)
        groups = [rows] if attack.one_step else [[row] for row in rows]
    else:  # for what is misclassified anyway, no perturbation is the nearest
        todo, groups = (chunk.clean == chunk.samples.labels).nonzero()[:, 0], [[-1]]
    for group in groups if rows else []:
        work = partial(_show, chunk, networks, todo, group, rows)
        for batch in chunk.plan.batches.map(len(todo), work):
            yield from batch
        chunk.tick(group[-1] if attack.budget else rows[-1])


def _show(
    chunk: Chunk,
    networks: Sequence[Network],
    todo: Tensor,
    group: Sequence[int],
    rows: Sequence[int],
    part: slice,
) -> list[Transferred]:
    """One batch; a minimal-norm attack runs once and is shown at all `rows`."""
    where = todo[part]
    batch, everything = chunk.samples[where], torch.arange(len(where), device=where.device)
    shown = []
    for row, eps, crafted in chunk.craft(batch, part.start, group):
        for at in [row] if eps is not None else rows:
            images, distances, flaws = _presentable(chunk, batch, crafted.images, at)
            answers = [recheck(network, batch.x, images, everything) for network in networks]
            failed = crafted.failed if at in (row, rows[0]) else {}
            shown.append(Transferred(at, where.cpu().numpy(), distances, answers, flaws, failed))
    return shown


def _presentable(
    chunk: Chunk, batch: Samples, images: Tensor, row: int
) -> tuple[Tensor, np.ndarray, dict[int, str]]:
    """Images inside the ball; unchanged ones, and a reason, where there is no sound image."""
    norm, eps = chunk.plan.attack.norm, float(chunk.plan.epsilons[row])
    images = images.detach().to(batch.x)
    if not chunk.plan.attack.budget:
        fits = inside(distance(batch.x, images, norm), eps).to(images.device)
        clipped = into_ball(batch.x, images, eps, norm)
        images = torch.where(fits[:, None, None, None], images, clipped)
    distances, flaws = examine(batch, images, norm=norm, eps=eps)
    flawed = list(flaws)
    distances[flawed] = np.nan
    images = images.clone()
    images[flawed] = batch.x[flawed]
    return images, distances, flaws
