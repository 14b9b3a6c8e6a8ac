"""An evaluation whose every row is known in advance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import eps_range
from robustbench_cli.runs.evaluation import Evaluation


def make(n: int = 4, **identity: object) -> Evaluation:
    """Sample i is broken by every epsilon above i/10; all are right without an attack."""
    epsilons, parts = eps_range("0:0.3:0.1"), []
    for eps in epsilons:
        broken = np.arange(n) / 10 < float(eps)
        rows = {
            "index": np.arange(n),
            "label": 0,
            "clean": 0,
            "eps": eps.text,
            "prediction": broken.astype(int),
            "distance": np.where(broken, 0.1 * np.arange(n) + 1e-9, np.nan),
            "attacked": True,
        }
        parts.append(pd.DataFrame(rows))
    record = {"identity": {"attack": "linf-pgd:steps=7", "samples": n, **identity}}
    return Evaluation("linf-pgd:steps=7", "linf", epsilons, pd.concat(parts, axis=0), record)
