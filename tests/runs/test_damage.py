"""Changed run directories whose digests were made right again: a result or one line, no bug."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_runs import make_evaluation, make_run, make_transfer, save_transfer

from robustbench_cli.errors import RobustmixError
from robustbench_cli.files import digest
from robustbench_cli.reporting.formats.table import SUFFIXES
from robustbench_cli.reporting.report import figure, table, transfer_table
from robustbench_cli.runs.run import Run, load_runs

TRIES = 18
VALUES = (None, True, -1, 0, 2.5, 10**400, float("nan"), "", "a\nb", [], [None], {}, {"eps": None})
CELLS = ("", "nan", "inf", "-1", "1e300", "9" * 400, "text", "0.5", "True", '"a\nb"')


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small runs with a history, attacks, a certificate, and a transfer."""
    folder = tmp_path_factory.mktemp("whole")
    runs = [make_run(folder, method) for method in ("plain", "mixup")]
    for run in runs:
        facts: dict[str, Any] = {
            "cost": {"forwards": 2.0, "backwards": 1.0, "seconds": 3.0},
            "notes": ["slow"],
            "failed": [{"index": 1, "eps": "0.1", "reason": "no start"}],
            "rejected": [{"index": 2, "eps": "0.1", "reason": "outside: 1"}],
            "access": "gradient",
            "kind": "budget",
            "parameters": {"steps": 40, "step-size": 0.01},
            "signals": {
                "level": "quick",
                "left_out": ["unbounded"],
                "rivals": {"eps": "0.1", "tried": 9, "noise": 3, "n": 9},
                "convergence": {
                    "eps": "0.1",
                    "attack": "a",
                    "tried": 9,
                    "broken": 3,
                    "silent": 0,
                    "n": 9,
                },
            },
            "audit": {"epsilons": [{"eps": "0.1", "right": "10"}], "samples": [0, 3]},
            "identity": {"attack": "linf-pgd", "view": "deployed", "seed": 0},
        }
        run.save(make_evaluation([0, 0.15, 0.25, 0.9], epsilons="0.1,0.2", **facts))
        proof = make_evaluation(
            [0.1, 0.3, 0.5], "certify", "l2", "0.25", kind="certified", view="smoothed"
        )
        proof.samples["radius"] = 0.3
        proof.record["parameters"] = {"sigma": 0.25}
        run.save(proof)
        save_transfer(run, make_transfer([0.15, 0.2, 0.9], runs[0], run))
        history = {"epoch": [1, 2], "loss": [2.0, 1.0], "validation": [0.5, 0.6]}
        history |= {"learning_rate": [0.1, 0.01], "seconds": [3.0, 3.1], "edge": [0.1, 0.2]}
        pd.DataFrame(history).to_csv(run.path / "history.csv", index=False)
    return folder


def damage_table(text: str, rng: random.Random) -> str:
    """One column or row dropped, doubled or shuffled, or one cell, or a whole column, replaced."""
    rows = [line.split(",") for line in text.splitlines()]
    column, row = rng.randrange(len(rows[0])), rng.randrange(len(rows))
    kind = rng.choice(("drop", "double", "shorten", "repeat", "shuffle", "cell", "cell", "fill"))
    if kind == "drop":
        rows = [[*r[:column], *r[column + 1 :]] for r in rows]
    elif kind == "double":
        rows = [[*r, r[column]] for r in rows]
    elif kind == "shorten":
        rows = rows[:row] + rows[row + 1 :]
    elif kind == "repeat":
        rows = [*rows, rows[row]]
    elif kind == "shuffle":
        rows = [rows[0], *rng.sample(rows[1:], len(rows) - 1)]
    elif kind == "cell":
        rows[row][column] = rng.choice(CELLS)
    else:
        value = rng.choice(CELLS)
        rows = [rows[0], *([*r[:column], value, *r[column + 1 :]] for r in rows[1:])]
    return "\n".join(map(",".join, rows)) + "\n"


def damage_document(document: Any, rng: random.Random) -> None:
    """One key, at any depth, removed or given another value."""
    key = rng.choice(list(document) if isinstance(document, dict) else range(len(document)))
    if isinstance(document[key], (dict, list)) and document[key] and rng.random() < 0.7:
        damage_document(document[key], rng)
    elif isinstance(document, dict) and rng.random() < 0.3:
        del document[key]
    else:
        document[key] = rng.choice(VALUES)


def damage(folder: Path, rng: random.Random) -> str:
    """Change one file of one run and make its digest right again; says which."""
    path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    if path.name.endswith(".csv"):
        path.write_text(damage_table(path.read_text(), rng))
    elif path.name.endswith(".csv.gz"):
        text = damage_table(gzip.decompress(path.read_bytes()).decode(), rng)
        path.write_bytes(gzip.compress(text.encode()))
        record = path.with_name(path.name.replace(".csv.gz", ".json"))
        record.write_text(
            json.dumps({**json.loads(record.read_text()), "rows_digest": digest(path)})
        )
    else:
        document = json.loads(path.read_text())
        damage_document(document, rng)
        path.write_text(json.dumps(document))
    return f"{path.relative_to(folder)}: {path.read_bytes()!r}"


def saved(runs: list[Run]) -> None:
    for evaluation in (e for run in runs for e in (*run.evaluations(), *run.transfers())):
        assert len(evaluation.samples)
        evaluation.accuracy()


def files(runs: list[Run]) -> None:
    made = table(runs)
    for form in SUFFIXES.values():
        made.render(form)


def drawn(name: str) -> Callable[[list[Run]], None]:
    def draw(runs: list[Run]) -> None:
        figure(name, runs).savefig(io.BytesIO(), format="svg")

    return draw


READERS: dict[str, Callable[[list[Run]], object]] = {
    "evaluations": saved,
    "history": lambda runs: [run.history() for run in runs],
    "table": files,
    "transfers": transfer_table,
}
FIGURES = ("decay-curve", "history", "certified", "timing", "scatter", "transfer-matrix")


def test_without_damage_everything_is_a_result(whole: Path) -> None:
    for read in (*READERS.values(), *map(drawn, FIGURES)):
        read(load_runs(whole))


@pytest.mark.parametrize("seed", range(TRIES))
def test_damage_is_a_result_or_one_line(whole: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folder = Path(shutil.copytree(whole, tmp_path / "runs"))
    what = damage(folder, rng)
    picture = FIGURES[seed % len(FIGURES)]
    for name, read in {**READERS, picture: drawn(picture)}.items():
        try:
            read(load_runs(folder))
        except RobustmixError as e:
            assert "\n" not in str(e), f"{name}: {what}"
        except Exception as e:
            raise AssertionError(f"{name} after {what}") from e
