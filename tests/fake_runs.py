"""Runs as they come out of training and attacking, made in a moment without either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps, grid
from robustbench_cli.files import slug
from robustbench_cli.runs.analysed import Analysed, Number
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run, create

CLASSES = 10
SETTINGS = {"data": "digits", "model": "lenet5", "epochs": 10, "lr": 0.1, "label_noise": 0.0}


def make_run(folder: Path, method: str = "plain", seed: int | None = 0, **config: Any) -> Run:
    """A finished run with a config and the names of its classes."""
    settings = {**SETTINGS, "method": method, "seed": seed, **config}
    settings = {key: value for key, value in settings.items() if value is not None}
    name = slug("-".join([settings["data"], settings["model"], method, f"s{seed}"]))
    extra = "".join(f"-{k}={v}" for k, v in config.items() if k not in ("data", "model"))
    facts = {"classes": [str(c) for c in range(CLASSES)]}
    return create(folder / f"{name}{extra}", settings, status="done", data=facts)


def make_evaluation(
    distances: Sequence[float],
    attack: str = "linf-pgd",
    norm: str = "linf",
    epsilons: str = "0:0.5:0.1",
    **record: Any,
) -> Evaluation:
    """Sample i is broken by every epsilon from `distances[i]` on; 0 means misclassified clean."""
    minimal = np.asarray(distances, float)
    label = np.arange(len(minimal)) % CLASSES
    wrong = (label + 1) % CLASSES
    clean = np.where(minimal > 0, label, wrong)
    given = grid(ranges=[epsilons]) if ":" in epsilons else grid([epsilons])
    return Evaluation(attack, norm, given, _rows(minimal, label, clean, wrong, given), record)


def make_analysis(run: Run, spec: str, *numbers: Number) -> None:
    """What an analysis found of a run, without its points."""
    identity = {"identity": {"analysis": spec, "view": "deployed"}, "seed": 0}
    Analysed(spec, pd.DataFrame({"sample": [0]}), numbers, identity).save(run.path / "analyses")


def make_transfer(
    distances: Sequence[float], source: Run, target: Run, epsilons: str = "0.1,0.2", **record: Any
) -> Evaluation:
    """What `source`'s adversarials do to `target`, in `make_evaluation`'s terms."""
    evaluation = make_evaluation(distances, epsilons=epsilons)
    samples = evaluation.samples.assign(source_clean=evaluation.samples["label"])
    names = {"source": source.name, "target": target.name, "white_box": source.name == target.name}
    identity = {"identity": {"attack": "linf-pgd", **names}}
    return Evaluation("linf-pgd", "linf", evaluation.epsilons, samples, {**names, **identity})


def draw(accuracy: float, half: float, n: int = 200, seed: int = 0) -> np.ndarray:
    """Minimal distances whose decay curve starts at `accuracy` and halves near `half`."""
    rng = np.random.default_rng(seed)
    distances = half * rng.lognormal(0, 0.5, n)
    return np.where(rng.random(n) < accuracy, distances, 0.0)


def save_transfer(source: Run, evaluation: Evaluation) -> None:
    evaluation.save(source.path / "transfer")


def _rows(
    minimal: np.ndarray,
    label: np.ndarray,
    clean: np.ndarray,
    wrong: np.ndarray,
    epsilons: Sequence[Eps],
) -> pd.DataFrame:
    n, times = len(minimal), len(epsilons)
    least, before = np.tile(minimal, times), np.tile(clean, times)
    broken = (least > 0) & (least <= np.repeat([float(eps) for eps in epsilons], n))
    return pd.DataFrame(
        {
            "index": np.tile(np.arange(n), times),
            "label": np.tile(label, times),
            "clean": before,
            "eps": np.repeat(np.array([eps.text for eps in epsilons], object), n),
            "prediction": np.where(broken, np.tile(wrong, times), before),
            "distance": np.where(broken, least, np.nan),
            "attacked": True,
        }
    )


METHODS = {"plain": (0.98, 0.08), "mixup": (0.985, 0.1), "pgd-at": (0.95, 0.28), "sat": (0.96, 0.2)}
ATTACKS = {"linf-fgsm": 1.3, "linf-pgd:steps=40": 1.0, "l2-boundary": 8.0}


def make_study(
    folder: Path,
    methods: Sequence[str] = tuple(METHODS),
    seeds: int = 3,
    attacks: Sequence[str] = tuple(ATTACKS),
    epsilons: str = "0:0.5:0.025",
    n: int = 200,
) -> list[Run]:
    """A grid of runs, each attacked; another grid of epsilons for L2."""
    made = []
    for m, method in enumerate(methods):
        clean, half = METHODS.get(method, (0.97 - 0.02 * m, 0.05 + 0.03 * m))
        for seed in range(seeds):
            run = make_run(folder, method, seed)
            for attack in attacks:
                norm, scale = attack.partition("-")[0], ATTACKS[attack]
                distances = draw(clean, half * scale, n, seed=100 * m + seed)
                ranges = "0:5:0.25" if norm == "l2" else epsilons
                run.save(make_evaluation(distances, attack, norm, ranges))
            made.append(run)
    return made
