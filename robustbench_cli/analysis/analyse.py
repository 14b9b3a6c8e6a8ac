"""One analysis of one network, piece by piece: resumable, and with no trace left in the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.isolation import fenced, frozen
from robustbench_cli.evaluation.network import Network
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.evaluation.throughput.threads import threads
from robustbench_cli.progress import Progress
from robustbench_cli.runs.analysed import Analysed
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.parts import Part, Parts
from robustbench_cli.runs.provenance import provenance
from robustbench_cli.spec import build, parameters

from .analysis import Analysis, Columns, Subject, Tell


def identify(
    analysis: Analysis, seed: int, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """All that a table depends on; `more`: what only the caller knows, such as digests."""
    settings = {
        f.name.replace("_", "-"): getattr(analysis, f.name) for f in parameters(type(analysis))
    }
    return {
        "analysis": str(analysis),
        "parameters": settings,
        "piece": analysis.piece,
        "seed": seed,
        **(more or {}),
    }


def analyse_model(
    model: nn.Module,
    test: Images,
    analysis: Analysis | str,
    *,
    train: Images | None = None,
    other: nn.Module | None = None,
    evaluations: Sequence[Evaluation] = (),
    folder: Path | None = None,
    seed: int = 0,
    parts: Path | None = None,
    progress: Progress | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Analysed:
    """Look at a network; it is put into eval mode and frozen meanwhile, and both are undone.

    Args:
        model: pixels (N, C, H, W) in [0, 1] -> logits (N, classes), on the device of `test`.
        train, other, evaluations, folder: what the analysis needs beside test images, if it does.
        parts: a folder for finished pieces. A repeated call with the same arguments goes on from
            them and ends with the same table. Remove the folder once the result is saved.
        identity: what else the table depends on (digests of the weights and the data).

    Raises:
        UsageError: no such analysis, parameters that do not fit, or a need that was not met.
    """
    analysis = build(Analysis, analysis) if isinstance(analysis, str) else analysis
    if analysis.trains and train is None:
        raise UsageError(f"{analysis.name} looks at training images; give train=")
    if not len(test):
        raise UsageError(f"{analysis.name} looks at test images, and this data set has none")
    about = identify(analysis, seed, identity)
    device = test.device
    network, compared = Network(model), Network(other) if other is not None else None
    with fenced(), frozen(model), frozen(compared or nn.Identity()):
        network.eval()
        batches = Batches(None, test.shape, device)
        subject = Subject(network, test, seed, batches, train, compared, evaluations, folder)
        here = {"device": device.type, "torch": torch.__version__}
        stored = Parts(parts, {"identity": about, **here})
        count = (stored.load(0) or {}).get("threads")
        with threads(model, test[: min(subject.batches.size, len(test))].x, count) as count:
            devices.seed_everything(seed, 0)
            chosen = analysis.choose(subject)

            def work(part: slice, tell: Tell) -> Part:
                devices.seed_everything(seed, 1, part.start)
                asked = network.forwards, network.backwards
                start = perf_counter()
                columns = analysis.look(subject, chosen[part], tell)
                return {
                    "columns": _as_lists(columns),
                    "forwards": network.forwards - asked[0],
                    "backwards": network.backwards - asked[1],
                    "seconds": perf_counter() - start,
                    "threads": count,
                }

            documents = stored.each(len(chosen), work, progress, size=analysis.piece)
    table = pd.concat([_as_frame(d["columns"]) for d in documents], ignore_index=True)
    totals = {key: sum(d[key] for d in documents) for key in ("forwards", "backwards", "seconds")}
    record = {
        "parameters": about["parameters"],
        "seed": seed,
        "n": len(chosen),
        "cost": {**totals, "seconds": round(totals["seconds"], 3)},
        "threads": count,
        "device": devices.describe(device),
        **provenance(),
        "identity": about,
    }
    return Analysed(str(analysis), table, tuple(analysis.numbers(table)), record)


def _as_lists(columns: Columns) -> Part:
    """For JSON, in which a float32 comes back as the same float32."""
    return {name: [str(v.dtype), v.tolist()] for name, v in columns.items()}


def _as_frame(columns: Part) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: values if kind == "object" or kind.startswith("<U") else np.array(values, kind)
            for name, (kind, values) in columns.items()
        }
    )
