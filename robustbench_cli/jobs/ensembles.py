"""``A+B``: several runs as one network, which becomes a run of its own.

It holds the weights of its members, so it stays what it is whatever becomes of them; run.json
names them, with the digest of each.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from glob import glob, has_magic
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, get_args

from safetensors.torch import load_file, save_file

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import replacing, slug
from robustbench_cli.models.ensemble import Mean
from robustbench_cli.runs import hub
from robustbench_cli.runs.data_identity import refuse_mixed
from robustbench_cli.runs.robustbench import PREFIX
from robustbench_cli.runs.run import Run, create, load_runs
from robustbench_cli.spec import build, build_all
from robustbench_cli.training.method import Method, overrides

_MEAN = re.compile(r":mean=([^:]*)$")


class Several(NamedTuple):
    """What an ensemble is called: its members as the user names each, and what is averaged."""

    members: tuple[str, ...]
    mean: Mean


def several(text: str) -> Several | None:
    """Read ``A+B`` or ``A+B:mean=probabilities``; None where `text` names one thing, or nothing.

    Names of runs may hold a plus sign, so a member is the longest text that names something.

    Raises:
        UsageError: no such mean.
    """
    if _names(text) or "+" not in text:
        return None
    given, mean = _MEAN.search(text), "logits"
    if given:
        text, mean = text[: given.start()], given[1]
    if mean not in get_args(Mean):
        raise UsageError(f"{text}:mean={mean}: expected {' or '.join(get_args(Mean))}")
    parts, members = text.split("+"), []
    while parts:
        tries = [*accumulate(parts, "{}+{}".format)]
        count = max((i for i, each in enumerate(tries, 1) if _names(each)), default=1)
        members.append(tries[count - 1])
        parts = parts[count:]
    known = any(map(_names, members))
    return Several(tuple(members), mean) if known and len(members) > 1 else None  # type: ignore[arg-type]


def _names(text: str) -> bool:
    if text.startswith((PREFIX, hub.PREFIX)):
        return "+" not in text
    try:
        return Path(text).exists() or (has_magic(text) and bool(glob(text)))  # noqa: PTH207
    except (OSError, ValueError):  # longer than a name can be
        return False


def gather(networks: Sequence[Run], mean: Mean, runs: Path) -> Run:
    """The run below `runs` that is all of these; made on the first call.

    Raises:
        UsageError: they are not for the same data, not finished, or no networks to be joined.
        RunError: the same data set holds other images for some.
    """
    _check(networks)
    listed = [
        {"name": run.name, "weights": run.weights_digest, "config": run.config} for run in networks
    ]
    mark = hashlib.sha256(f"{mean} {[each['weights'] for each in listed]}".encode()).hexdigest()
    short = build(Dataset, networks[0].config["data"], trusted=False).short
    label = "+".join(run.name.removeprefix(slug(f"{short}-")) for run in networks)
    config = {
        "data": networks[0].config["data"],
        "model": "ensemble",
        "method": "plain",
        "checkpoint": label if mean == "logits" else f"{label}:mean={mean}",
        "checkpoint_digest": mark[:16],
        "mean": mean,
    }
    path = runs / slug(f"{short}-ensemble-{config['checkpoint']}")
    for place in (path, runs / slug(f"{path.name}-{mark[:8]}")):
        if not (place / "run.json").is_file():
            break
        run = Run.open(place)
        if run.finished and run.config == config and run.record.get("members") == listed:
            return run
    state = {
        f"{i}.{name}": value
        for i, run in enumerate(networks)
        for name, value in load_file(run.weights).items()
    }
    with replacing(place / "model.safetensors") as beside:
        save_file(state, beside, {"mean": mean})  # its digest tells them apart
    return create(place, config, status="done", data=_facts(networks), members=listed)


def _check(networks: Sequence[Run]) -> None:
    first = networks[0]
    for run in networks:
        if not run.finished:
            raise UsageError(f"{run.path} is not trained to its end, so it is in no ensemble yet")
        if run.config["data"] != first.config["data"]:
            raise UsageError(
                f"{run.name} is for {run.config['data']} and {first.name} for "
                f"{first.config['data']}; an ensemble needs networks for the same data"
            )
        if run.record.get("members"):
            raise UsageError(f"{run.name} is an ensemble already; name its members one by one")
        method = run.config.get("method_resolved") or run.config["method"]
        for each in build_all(Method, method, trusted=False):
            if overrides(each, "prepare"):
                raise UsageError(
                    f"{run.name}: {each.name} draws from its run's own training images at test "
                    "time, which an ensemble has not; leave this run out"
                )
    named = [(run.path, run.config["data"], run.record.get("data") or {}) for run in networks]
    refuse_mixed(named)


def _facts(networks: Iterable[Run]) -> dict[str, Any]:
    """What holds of the data of all; of test images in the training, the worst."""
    known: list[Mapping[str, Any]] = [run.record.get("data") or {} for run in networks]
    facts = {k: v for k, v in known[0].items() if all(each.get(k) == v for each in known)}
    seen = [each["test_images"] for each in known if each.get("test_images")]
    if seen:
        facts["test_images"] = max(seen, key=lambda images: images.get("train", 0))
    if not {"shape", "classes"} <= facts.keys():
        raise RunError("an ensemble needs runs that know their images; train them again")
    return facts


def members(text: str) -> tuple[Path, ...]:
    """The directories of the runs that :func:`named_network` reads."""
    asked = several(text)
    return (Path(text),) if asked is None else tuple(r.path for r in load_runs(asked.members))


def named_network(text: str, runs: Path) -> Run:
    """The run of a directory, or the ensemble of several: ``A+B``.

    Raises:
        RobustmixError: as :meth:`Run.open` and :func:`gather`.
    """
    asked = several(text)
    if asked is None:
        return Run.open(Path(text))
    return gather(load_runs(asked.members), asked.mean, runs)
