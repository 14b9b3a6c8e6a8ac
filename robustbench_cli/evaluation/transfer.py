"""What images crafted on one network do to others.

Each source's batch is crafted once and shown to every target. All samples are scored, also those
that fooled nobody and those that are misclassified without any perturbation:

- a budget attack runs on every sample at every epsilon, and its final image is shown, whether or
  not it fools the source (a sample that the source misclassifies anyway is driven further away
  from its label, or towards its target);
- a minimal-norm attack runs once; where its image lies outside the ball, it is clipped to it.
  What the source misclassifies anyway stays as it is: no perturbation is the nearest.

An image that is not finite, or outside [0, 1] or the ball, is listed, and the unchanged one shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.files import slug
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.parts import Part

from .attack import Attack
from .isolation import fenced, frozen
from .network import Network
from .plan import Plan, Victim
from .recording.record import at_target, identify, make_record, make_rows, measured, open_parts
from .scheduling.transferring import TransferTarget, transfer_chunk
from .throughput.fast_path import crafting_source
from .throughput.pooling import quick_pools
from .throughput.threads import threads


def transfer(
    sources: Mapping[str, nn.Module],
    targets: Mapping[str, nn.Module],
    images: Images,
    attack: Attack | str,
    epsilons: Iterable[Eps],
    *,
    seed: int = 0,
    batch_size: int | None = None,
    parts: Path | None = None,
    progress: Progress | None = None,
    identity: Mapping[str, Any] | None = None,
    weights: Mapping[str, str] | None = None,
) -> list[Evaluation]:
    """One evaluation per source and target, in the order of both; its record names the two.

    The rows are those of `Evaluation.samples`, with these differences: `clean` and `prediction`
    are the target's, `prediction` is its answer to the crafted image whatever it is, `distance`
    is that of the image shown, and there are two more columns, `source_clean` and
    `source_prediction`. Where source and target are the same (by name or by module) the record
    says `white_box`; nothing is carried from one epsilon to the next there either.

    Args:
        sources, targets: networks by name; pixels in [0, 1] -> logits, on the device of `images`.
        parts: as for `evaluate_model`, one folder below it for each source.
        weights: a digest of the weights of each network, by name, for the identity of the rows.

    Raises:
        UsageError: no source or no target; as `evaluate_model`.
        RunError: as `evaluate_model`.
    """
    if not sources or not targets:
        raise UsageError("a transfer needs networks; type --source RUN --target RUN")
    plan = Plan.make(attack, images, epsilons, batch_size=batch_size, seed=seed)
    about = partial(
        identify_pair, plan.attack, plan.epsilons, len(images), seed=seed, more=identity
    )
    weights = weights or {}
    results: list[Evaluation] = []
    with fenced(), ExitStack() as stack:
        everyone = {*sources.values(), *targets.values()}
        for model in everyone:
            stack.enter_context(frozen(model))
        shown_to = {name: plan.look(Network(model).eval()) for name, model in targets.items()}
        victims = {name: crafting_source(plan, model) for name, model in sources.items()}
        for model in everyone:  # not earlier: copies are traced from what is there
            stack.enter_context(quick_pools(model))
        for number, (name, source) in enumerate(victims.items()):
            key = {**about(name, ""), "targets": [*targets], "weights": dict(weights)}
            looks = [source.clean, *(target.clean for target in shown_to.values())]
            stored = open_parts(parts and parts / slug(name), key, *looks)
            few, count = images[: plan.batches.size].x, (stored.load(0) or {}).get("threads")
            with threads(sources[name], few, count) as count:
                documents = stored.each(
                    len(images),
                    partial(_work, plan, source, shown_to, count),
                    progress and partial(_tell, progress, number, len(sources)),
                )
            for place, shown in enumerate(targets):
                pair = about(name, shown, weights=weights)
                results.append(_evaluation(plan, pair, source, shown_to[shown], documents, place))
    return results


def identify_pair(
    attack: Attack,
    epsilons: Iterable[Eps],
    samples: int,
    source: str,
    target: str,
    *,
    seed: int = 0,
    weights: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that the rows of one source and target depend on; `weights` has digests by name."""
    return {
        **identify(attack, epsilons, samples, seed=seed, more=more),
        "schedule": "transfer",
        "source": source,
        "target": target,
        "weights": {name: (weights or {}).get(name) for name in (source, target)},
    }


def _work(
    plan: Plan,
    source: Victim,
    targets: Mapping[str, Victim],
    count: int,
    here: slice,
    tell: Callable[[float, str], None],
) -> Part:
    chunk = plan.chunk(source, here, tell)
    viewers = [
        TransferTarget(name, target.network, target.clean.prediction[here].cpu().numpy())
        for name, target in targets.items()
    ]
    return {**measured(chunk, lambda: transfer_chunk(chunk, viewers)), "threads": count}


def _tell(
    progress: Progress, number: int, sources: int, done: int, n: int, moment: Callable[[], str]
) -> None:
    progress(number * n + done, sources * n, moment)


def _evaluation(
    plan: Plan,
    pair: Mapping[str, Any],
    source: Victim,
    target: Victim,
    documents: list[Part],
    place: int,
) -> Evaluation:
    """What one target made of it; `place` is its number among the targets."""
    fixed = {
        "label": plan.images.labels,
        "clean": target.clean.prediction,
        "source_clean": source.clean.prediction,
    }
    if source.goals is not None:
        fixed["target"] = source.goals
    kinds = {"distance": float, "attacked": bool, "source_prediction": np.int64}
    varying = {
        name: np.concatenate([np.array(d[name], kind) for d in documents], axis=1)
        for name, kind in kinds.items()
    }
    predictions = [np.array(d["predictions"][place], np.int64) for d in documents]
    varying = {"prediction": np.concatenate(predictions, axis=1), **varying}
    own = [{**d, "rejected": _about(pair["target"], d["rejected"])} for d in documents]
    same = source.network.predictor is target.network.predictor
    record = {
        **make_record(plan, pair, own),
        "source": pair["source"],
        "target": pair["target"],
        "white_box": same or pair["source"] == pair["target"],
    }
    rows = make_rows(plan.epsilons, fixed, varying)
    record |= at_target(rows, plan.epsilons)
    return Evaluation(str(plan.attack), plan.attack.norm, plan.epsilons, rows, record)


def _about(target: str, entries: list[Part]) -> list[Part]:
    """What concerns every target, or this one."""
    return [entry for entry in entries if entry.get("target", target) == target]
