"""What an attack did to every sample, and what follows from it; needs no torch."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import digest, read_json, replacing, slug, write_json
from robustbench_cli.statistics.intervals import wilson

FORMAT = 1


@dataclass(frozen=True)
class Evaluation:
    """One attack on one network over a grid of epsilons.

    `samples` has one row per sample and epsilon, sorted by epsilon, then index:

    - index, label: which test image, and its class
    - clean: the class predicted for the unchanged image
    - eps: the budget, as text; pixels are in [0, 1]
    - prediction: the class predicted for the verified adversarial, or `clean` where there is none
    - distance: the norm of the verified perturbation; NaN where there is none
    - attacked: False where the verdict follows from that in another ball and nothing was tried
    - target (targeted attacks only): the class the attack aims at

    `record` holds everything else: the attack and its parameters, norm, cost, versions, and
    `identity`, what the rows depend on.
    """

    COLUMNS: ClassVar = ("index", "label", "clean", "eps", "prediction", "distance", "attacked")

    attack: str
    norm: str
    epsilons: tuple[Eps, ...]
    samples: pd.DataFrame
    record: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def n(self) -> int:
        """How many samples were scored; every one counts, those misclassified clean as broken."""
        return int(self.samples["index"].nunique())

    @property
    def clean_accuracy(self) -> float:
        first = self.samples.drop_duplicates("index")
        return float((first["clean"] == first["label"]).mean())

    def correct(self) -> pd.DataFrame:
        """Index: sample; columns: epsilons as text, in order; True where still classified right.

        This is the matrix behind every accuracy, and what two runs are compared by.
        """
        right = self.samples.assign(right=self.samples["prediction"] == self.samples["label"])
        wide = right.pivot(index="index", columns="eps", values="right")
        return wide[[eps.text for eps in self.epsilons]].astype(bool)

    def accuracy(self) -> pd.DataFrame:
        """eps, eps_value, accuracy, low, high (Wilson, 95 %), n; one row per epsilon."""
        rows = []
        correct = self.correct()
        for eps in self.epsilons:
            right = int(correct[eps.text].sum())
            low, high = wilson(right, self.n)
            rows.append((eps.text, float(eps), right / self.n, low, high, self.n))
        return pd.DataFrame(rows, columns=["eps", "eps_value", "accuracy", "low", "high", "n"])

    @property
    def file_name(self) -> str:
        """Differs whenever the attack, the grid or the number of samples does."""
        return file_name(self.record.get("identity", {"attack": self.attack}))

    def save(self, folder: Path) -> Path:
        """Write rows, then the record that vouches for them; returns the record's path."""
        rows = folder / f"{self.file_name}.csv.gz"
        save_rows(self.samples, rows)
        record = rows.with_name(f"{self.file_name}.json")
        write_json(
            record,
            {
                "format": FORMAT,
                "attack": self.attack,
                "norm": self.norm,
                "epsilons": [e.text for e in self.epsilons],
                "rows": rows.name,
                "rows_digest": digest(rows),
                **self.record,
            },
        )
        return record

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """From the path of the record.

        Raises:
            RunError: damaged, or rows and record do not belong together.
        """
        record = read_json(path)
        try:
            rows = path.parent / Path(record["rows"]).name
            if digest(rows) != record["rows_digest"]:
                raise RunError(f"{rows} is not what {path.name} describes; delete both, run again")
            # as text first: some versions of pandas read floats to all but the last digit
            samples = pd.read_csv(rows, dtype={"eps": str, "distance": str})
            samples["distance"] = samples["distance"].astype(float)
            epsilons = tuple(Eps.parse(e) for e in record["epsilons"])
            return cls(record["attack"], record["norm"], epsilons, samples, record)
        except OSError as e:
            raise RunError(f"cannot read {path}: {e.strerror or e}; delete it, run again") from e
        except (KeyError, TypeError, ValueError, EOFError, UsageError, zlib.error) as e:
            raise RunError(f"{path} is damaged ({e}); delete it and run again") from e


def file_name(identity: dict[str, Any]) -> str:
    """A readable name for what an evaluation depends on, with a digest of all of it but weights."""
    unnamed = ("weights", "source_weights", "data", "format", "read")
    named = {k: v for k, v in identity.items() if k not in unnamed}
    mark = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:6]
    return f"{slug(str(identity.get('analysis') or identity.get('attack')))}-{mark}"


def save_rows(samples: pd.DataFrame, path: Path) -> None:
    """gzip CSV, the same bytes for the same rows (no time stamp inside)."""
    with replacing(path) as beside:
        text = io.BytesIO()
        samples.to_csv(
            text,
            index=False,
            lineterminator="\n",
            compression={"method": "gzip", "compresslevel": 6, "mtime": 0},
        )
        beside.write_bytes(text.getvalue())
