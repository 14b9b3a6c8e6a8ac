"""Which epsilon breaks which sample: one attack on one network, verified and resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.parts import CHUNK, Part, Parts

from .algorithms.union import Union
from .attack import Attack
from .certify import Certifier, certify
from .isolation import fenced, frozen
from .network import Network, answers_differ
from .plan import Plan, Victim
from .recording.outcomes import ARRAYS, Outcomes
from .recording.record import (
    at_target,
    identify,
    make_record,
    make_rows,
    measured,
    members_entry,
    open_parts,
)
from .scheduling.auditing import audit_entry, audit_notes, contradicted, draw_audit
from .scheduling.chunk import run_chunk
from .scheduling.schedules import ScheduleName
from .throughput.fast_path import Crafting, quicken
from .throughput.pooling import quick_pools
from .throughput.threads import threads


def evaluate_model(
    model: nn.Module,
    images: Images,
    attack: Attack | str,
    epsilons: Iterable[Eps],
    *,
    schedule: ScheduleName = "auto",
    audit: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    parts: Path | None = None,
    progress: Progress | None = None,
    identity: Mapping[str, Any] | None = None,
    crafting: Crafting | None = None,
    num_threads: int | None = None,
) -> Evaluation:
    """Attack every image at every epsilon.

    The model is put into eval mode and its parameters are frozen; both are undone. An image that
    is misclassified as it is counts as broken at every epsilon and is not attacked; at eps 0
    nothing is. For a minimal-norm attack, `distance` is that of the nearest adversarial also where
    the ball is too small to hold it. A targeted attack breaks a sample by reaching its target,
    and then only. ``certify`` is no attack: see `certify.py` for its rows.

    Args:
        model: pixels (N, C, H, W) in [0, 1] -> logits (N, classes), on the device of `images`.
        epsilons: in pixels, measured by the norm of the attack.
        schedule: what is attacked again after it broke, or held, elsewhere; see `schedules.py`.
            The record's `schedule` is what was done in the end.
        audit: how many samples, drawn at random, are attacked at every epsilon all the same;
            None: a few.
        batch_size: images at once; None: by image size and device. Attacks that draw random
            numbers draw them by batch, except descents and, while samples are bisected, Auto-PGD
            and Square without `near`, whose draws depend on the sample alone.
        parts: a folder for finished chunks. A repeated call with the same arguments goes on from
            them and ends with the same rows. Remove the folder once the result is saved.
        identity: what else the rows depend on (digests of the weights and the data); chunks made
            under another identity are not used.
        crafting: how the network may compute while an attack looks for adversarials; verdicts are
            always its own, in float32.
        num_threads: on a CPU; None: one or all, whichever a short measurement finds faster. The
            last digits of a network's answers may depend on it.

    Raises:
        UsageError: no epsilon, no image, no such attack.
        RunError: a model that answers NaN, or does not fit the images or the labels.
    """
    plan = Plan.make(attack, images, epsilons, batch_size=batch_size, seed=seed)
    crafting = crafting or Crafting()
    about = identify(
        plan.attack,
        plan.epsilons,
        len(images),
        seed=seed,
        schedule=schedule,
        audit=audit,
        crafting=crafting,
        more=identity,
    )
    if isinstance(plan.attack, Certifier):
        return certify(model, plan, about, parts, progress)
    audited, real = draw_audit(about.get("audit", 0), len(images), seed), about["schedule"]
    with fenced(), frozen(model):
        network = Network(model).eval()
        victim = plan.look(network)
        plan.batches.fit(model, images[:64].x)
        size = plan.batches.chunk
        key = {**about, "chunk": size} if size else about
        stored = open_parts(parts, key, victim.clean)
        few = images[: plan.batches.size].x
        count = num_threads or (stored.load(0) or {}).get("threads")
        network.random = answers_differ(network, few[:16])
        with threads(model, few, count) as count:
            if not plan.attack.one_step:  # its gradients are few; they stay those of the network
                victim = quicken(victim, few[:16], crafting)

            def attacked(stored: Parts, schedule: str) -> list[Part]:
                def work(here: slice, tell: Callable[[float, str], None]) -> Part:
                    chunk = plan.chunk(victim, here, tell)
                    number = here.start // (size or CHUNK)
                    chunk = replace(chunk, step=partial(stored.step, number))
                    found = measured(chunk, lambda: run_chunk(chunk, schedule, audited).as_dict())
                    return {**found, "threads": count, "copy": not chunk.exact}

                with quick_pools(model):  # not earlier: copies are traced from what is there
                    return stored.each(len(images), work, progress, size=size)

            if real == "auto":  # nothing is inferred that nobody looks over
                real = "ascending" if network.random or not len(audited) else "bisect"
            documents = attacked(stored, real)
            rows, audits = _told(plan, victim, documents)
            spent, doubts = documents, ""
            if (
                about["schedule"] == "auto"
                and real == "bisect"
                and (doubts := contradicted(audits))
            ):
                real = "ascending"
                stored = open_parts(parts and parts / real, key, victim.clean)
                documents = attacked(stored, real)
                rows, audits = _told(plan, victim, documents)
                spent = [*spent, *documents]
    record = {**make_record(plan, about, documents, spent), **audits, "schedule": real}
    record["threads"], record["crafted_on_copy"] = documents[0]["threads"], documents[0]["copy"]
    record["notes"] = [*record["notes"], *audit_notes(record), *filter(None, [doubts])]
    record |= {**at_target(rows, plan.epsilons), **members_entry(documents)}
    return Evaluation(str(plan.attack), plan.attack.norm, plan.epsilons, rows, record)


def _told(
    plan: Plan, victim: Victim, documents: Sequence[Part]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of all chunks, and what the audit says of them."""
    found = [Outcomes.from_dict(document) for document in documents]
    fixed = {"label": plan.images.labels, "clean": victim.clean.prediction}
    if victim.goals is not None:
        fixed["target"] = victim.goals
    varying = {
        name: np.concatenate([getattr(f, name) for f in found], axis=1)
        for name in ARRAYS[: None if isinstance(plan.attack, Union) else -1]
    }
    rows = make_rows(plan.epsilons, fixed, varying)
    return rows, audit_entry(found, plan.epsilons, rows)
