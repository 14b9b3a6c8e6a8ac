"""A union, member by member: each on what the earlier ones left, verified before the next."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import chain
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustbench_cli.evaluation.algorithms.union import Union, count_classes
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.plan import Chunk
from robustbench_cli.evaluation.recording.outcomes import COSTS, Outcomes
from robustbench_cli.evaluation.verification.ball import inside
from robustbench_cli.evaluation.verification.verify import Verdict
from robustbench_cli.runs.parts import Part

from .attempts import Attempt, attempts


def member_attempts(
    chunk: Chunk, todo: Tensor, row: int, found: Outcomes, again: Set[int]
) -> Iterator[Attempt]:
    """Each sample of `todo` once: with the member that broke it, or as the last member left it.

    What every member did and cost is added to ``found.members``. The positions that are attacked
    `again` are not counted, only paid for; a round of nothing else is left out.
    """
    union, left = chunk.plan.attack, todo
    assert isinstance(union, Union)
    members = union.members(count_classes(chunk.model, chunk.samples))
    eps = chunk.plan.epsilons[row].text
    told: list[dict[str, Any]] = []
    firsts: list[Tensor] = []  # what each member broke
    for place, member in enumerate(members):
        chunk.tell(_share(chunk, row, place / len(members)), f"{member.name} at eps {eps}")
        done = _step(chunk, member, left, row, found)
        tried = _read(done, row)
        counts = torch.tensor([position not in again for position in done["where"]])
        yield tried.only(tried.verdict.adversarial, member.name)
        broken = torch.from_numpy(tried.verdict.adversarial)
        firsts.append(left[(broken & counts).to(left.device)])
        first = {"tried": int(counts.sum()), "broken": len(firsts[-1])}
        cost = {key: done[key] for key in COSTS}
        told.append({"eps": eps, "member": member.name, **first, **cost})
        left = left[~broken.to(left.device)]
        if not len(left):
            break
    else:
        yield tried.only(~tried.verdict.adversarial, "")
    if len(again) == len(todo):
        return
    if union.every_member:
        _tell_alone(chunk, members, firsts, row, found, told)
    found.members.extend(told)


def _tell_alone(
    chunk: Chunk,
    members: Sequence[Attack],
    firsts: Sequence[Tensor],
    row: int,
    found: Outcomes,
    told: list[dict[str, Any]],
) -> None:
    """Show each member what earlier ones broke, too; adds to what is `told` of it all that it
    breaks, and what nobody else does.

    The cascade itself has been gone through as ever, so that verdicts do not depend on this.
    """
    eps, nothing = chunk.plan.epsilons[row].text, firsts[0][:0]
    rest = members[len(told) :]  # nothing was left for them
    told += [{"eps": eps, "member": each.name, **dict.fromkeys(_COUNTS, 0)} for each in rest]
    before, broken = nothing, list[list[int]]()  # by earlier ones, and by each
    for member, own, entry in zip(members, [*firsts, *[nothing] * len(rest)], told, strict=True):
        also = nothing
        if len(before):
            chunk.tell(_share(chunk, row, 1), f"{member.name} on what others broke at eps {eps}")
            done = _step(chunk, member, before, row, found)
            for key in COSTS:
                entry[key] += done[key]
            also = before[torch.tensor(done["adversarial"], device=before.device)]
        broken.append(torch.cat([own, also]).tolist())
        before = torch.cat([before, own]).sort().values
    times = Counter(chain.from_iterable(broken))
    for entry, positions in zip(told, broken, strict=True):
        alone = sum(times[position] == 1 for position in positions)
        entry |= {"in_all": len(positions), "alone": alone}


_COUNTS = "tried", "broken", *COSTS


def _step(chunk: Chunk, member: Attack, where: Tensor, row: int, found: Outcomes) -> Part:
    asked = chunk.asked
    done = chunk.step(_name(member, row, where), partial(_run, chunk, member, where, row))
    if chunk.asked == asked:  # it was done before a kill
        found.earlier.append({key: done[key] for key in COSTS})
    return done


def _share(chunk: Chunk, row: int, done: float) -> float:
    """Of the whole work, with so much done of this row."""
    return (row + done) / (len(chunk.plan.epsilons) + 1)


def _name(member: Attack, row: int, where: Tensor) -> str:
    text = f"{member} {row} {where.tolist()}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _run(chunk: Chunk, member: Attack, where: Tensor, row: int) -> Part:
    """One member on the samples `where`, as a document."""
    asked, start = chunk.asked, perf_counter()
    part = replace(chunk, plan=replace(chunk.plan, attack=member))
    found = list(attempts(part, where, [row if member.budget else -1]))
    forwards, backwards = (now - before for now, before in zip(chunk.asked, asked, strict=True))
    verdicts = [attempt.verdict for attempt in found]
    names = ("adversarial", "prediction", "distance")
    columns = {name: np.concatenate([getattr(v, name) for v in verdicts]) for name in names}
    if not member.budget:  # it looked for the nearest, wherever that lies
        near = inside(torch.from_numpy(columns["distance"]), float(chunk.plan.epsilons[row]))
        columns["adversarial"] &= near.numpy()
    offsets = np.cumsum([0, *(len(attempt.where) for attempt in found)]).tolist()
    return {
        "where": where.tolist(),
        **{name: values.tolist() for name, values in columns.items()},
        "rejected": _moved([v.rejected for v in verdicts], offsets),
        "failed": _moved([attempt.failed for attempt in found], offsets),
        "forwards": forwards,
        "backwards": backwards,
        "seconds": perf_counter() - start,
    }


def _moved(reasons: list[dict[int, str]], offsets: list[int]) -> list[Any]:
    """Reasons by their place in one list of all batches."""
    return [[i + o, why] for o, d in zip(offsets, reasons, strict=False) for i, why in d.items()]


def _read(document: Part, row: int) -> Attempt:
    verdict = Verdict(
        np.array(document["adversarial"], dtype=bool),
        np.array(document["prediction"], dtype=np.int64),
        np.array(document["distance"], dtype=np.float64),
        {int(i): why for i, why in document["rejected"]},
    )
    failed = {int(i): why for i, why in document["failed"]}
    return Attempt(row, np.array(document["where"], dtype=np.int64), failed, verdict)
