"""The tables of a run directory: what their columns hold.

Written by `training/` (history) and `evaluation/` (attacks, transfers, certificates), which may
import this; read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError
from robustbench_cli.schema import Column, Schema, short

REMEDY = "delete it and its record, run again"

ATTACKED = Schema(
    (
        Column("index", "whole", "number of the test image, in the order of the data set", low=0),
        Column("label", "whole", "its class", low=0),
        Column("clean", "whole", "class predicted for the unchanged image", low=0),
        Column("eps", "text", "the budget in pixels of [0, 1], written as in the record"),
        Column("prediction", "whole", "class predicted for the verified adversarial", low=0),
        Column("distance", "number", "norm of the verified perturbation", low=0, empty=True),
        Column("attacked", "flag", "False where the verdict follows from another epsilon"),
        Column(
            *("member", "text", "of a worst case: the member that broke it"),
            empty=True,
            optional=True,
        ),
        Column("target", "whole", "class that a targeted attack aims at", low=0, optional=True),
    ),
    key=("eps", "index"),
)
"""What an attack did: a row for each epsilon and sample, by epsilon, then index."""

TRANSFERRED = Schema(
    (
        *ATTACKED.columns,
        Column("source_clean", "whole", "what the source predicts for the unchanged image", low=0),
        Column(
            "source_prediction", "whole", "and for the adversarial made on it", low=0, optional=True
        ),
    ),
    key=ATTACKED.key,
)
"""What adversarials made on one network, the source, did to another."""

CERTIFIED = Schema(
    (
        *(replace(c, low=-1) if c.name in ("clean", "prediction") else c for c in ATTACKED.columns),
        Column("radius", "number", "L2 radius within which the answer is certified", low=0),
    ),
    key=ATTACKED.key,
)
"""Certificates: as attacks, with -1 where the smoothed network abstains or the radius is less."""

HISTORY = Schema(
    (
        Column("epoch", "whole", "which epoch, from 1", low=1),
        Column("loss", "number", "mean over the training images", empty=True, optional=True),
        Column(
            *("validation", "number", "accuracy on held-out images"),
            low=0,
            high=1,
            empty=True,
            optional=True,
        ),
        Column(
            *("validation_loss", "number", "mean cross-entropy of held-out images, in nats"),
            low=0,
            empty=True,
            optional=True,
        ),
        Column("learning_rate", "number", "at its end", low=0, optional=True),
        Column("seconds", "number", "that it took", low=0, optional=True),
    ),
    key=("epoch",),
)
"""history.csv: a row for each epoch; methods add columns of numbers."""


def schema_of(record: Mapping[str, Any]) -> Schema:
    """Of the table that a record vouches for."""
    if record.get("kind") == "certified":
        return CERTIFIED
    return TRANSFERRED if "target" in record else ATTACKED


def check_rows(
    samples: pd.DataFrame, record: Mapping[str, Any], epsilons: Sequence[Eps], path: Path
) -> None:
    """Every sample once at each epsilon of the record, in order, with one label and clean class.

    Raises:
        RunError: anything else; `path` is that of the rows.
    """
    schema_of(record).check_columns(samples, path, REMEDY)
    texts, (n, rest) = [eps.text for eps in epsilons], divmod(len(samples), max(1, len(epsilons)))
    named = np.repeat(np.array(texts, object), n)  # as objects: pandas compares texts slowly
    if rest or not n or not texts or (samples["eps"].to_numpy(object) != named).any():
        found = short(", ".join(samples["eps"].unique()) or "none")
        raise RunError(
            f"{path}: its {len(samples)} rows, at the epsilons {found}, are not as many at each of "
            f"{short(', '.join(texts) or 'none')}, which its record names in this order; {REMEDY}"
        )
    if (np.diff(samples["index"].to_numpy()[:n]) <= 0).any():
        raise RunError(f"{path}: index does not rise from row to row at eps {texts[0]}; {REMEDY}")
    for name in ("index", "label", "clean"):
        values = samples[name].to_numpy()
        if not np.array_equal(values, np.tile(values[:n], len(texts))):
            raise RunError(f"{path}: {name} is not the same at every epsilon; {REMEDY}")
