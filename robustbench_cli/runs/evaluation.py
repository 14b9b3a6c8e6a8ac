"""What an attack did to every sample, and what follows from it; needs no torch."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import nan
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import digest, read_json, replacing, slug, write_json
from robustbench_cli.statistics.intervals import wilson

from .records import EVALUATION, check_record
from .rows import check_rows
from .tally import Tally, count

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
    - member (worst cases only): which member broke the sample; "" where none did
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
    def tally(self) -> Tally:
        """The counts that accuracies are made of; those of a saved one cost no look at its rows."""
        zero = [eps.text for eps in self.epsilons if not eps.value]
        return count(self.samples, self.correct(), zero)

    @property
    def n(self) -> int:
        """How many samples were scored; every one counts, those misclassified clean as broken."""
        return self.tally.n

    @property
    def clean_accuracy(self) -> float:
        return self.tally.clean / self.n

    def correct(self) -> pd.DataFrame:
        """Index: sample; columns: epsilons as text, in order; True where still classified right.

        This is the matrix behind every accuracy, and what two runs are compared by.
        """
        return self._correct

    @cached_property
    def _correct(self) -> pd.DataFrame:
        # by hand: a pivot of pandas takes longer than all else about a small evaluation
        epsilons = pd.Index([eps.text for eps in self.epsilons], name="eps")
        if not epsilons.is_unique:
            raise ValueError("an epsilon is named twice")
        index, sample = np.unique(self.samples["index"].to_numpy(), return_inverse=True)
        place = sample, epsilons.get_indexer(pd.Index(self.samples["eps"]))
        there, right = np.zeros((2, len(index), len(epsilons)), bool)
        there[place] = True
        if len(self.samples) != there.size or not there.all():
            raise ValueError("not every sample has one row at each epsilon")
        right[place] = (self.samples["prediction"] == self.samples["label"]).to_numpy()
        return pd.DataFrame(right, pd.Index(index, name="index"), epsilons)

    def accuracy(self) -> pd.DataFrame:
        """eps, eps_value, accuracy, low, high (Wilson, 95 %), n; one row per epsilon."""
        rows = []
        for eps, right in zip(self.epsilons, self.tally.right, strict=True):
            low, high = wilson(right, self.n)
            rows.append((eps.text, float(eps), right / self.n, low, high, self.n))
        return pd.DataFrame(rows, columns=["eps", "eps_value", "accuracy", "low", "high", "n"])

    def at_target(self) -> pd.DataFrame:
        """eps, eps_value, rate, low, high (Wilson, 95 %), n; one row per epsilon.

        `rate`: of the n samples whose label is another class, the share that is taken for the class
        that the attack aims at. No rows where it aims at none.
        """
        aimed, rows = self.tally.aimed, []
        for eps, reached in zip(self.epsilons, self.tally.reached[1:], strict=False):
            low, high = wilson(reached, aimed) if aimed else (nan, nan)
            rate = reached / aimed if aimed else nan
            rows.append((eps.text, float(eps), rate, low, high, aimed))
        return pd.DataFrame(rows, columns=["eps", "eps_value", "rate", "low", "high", "n"])

    @property
    def file_name(self) -> str:
        """Differs whenever the attack, the grid or the number of samples does."""
        return file_name(self.record.get("identity", {"attack": self.attack}))

    def save(self, folder: Path) -> Path:
        """Write rows, then the record that vouches for them; returns the record's path."""
        rows = folder / f"{self.file_name}.csv.gz"
        save_rows(self.samples, rows)
        record = rows.with_name(f"{self.file_name}.json")
        mark = digest(rows)
        write_json(
            record,
            {
                "format": FORMAT,
                "attack": self.attack,
                "norm": self.norm,
                "epsilons": [e.text for e in self.epsilons],
                "rows": rows.name,
                "rows_digest": mark,
                "tally": {"of": mark, **self.tally.document},
                **self.record,
            },
        )
        return record

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """From the path of the record. The rows are read when they are asked for.

        Raises:
            RunError: damaged, or rows and record do not belong together.
        """
        return Stored(path)


class Stored(Evaluation):
    """What lies in a run directory. Rows are kept for a few evaluations at a time only.

    A record without counts, or with those of other rows, has them made from its rows.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            RunError: as `Evaluation.load`.
        """
        record = read_json(path)
        check_record(record, EVALUATION, FORMAT, path, "delete it and run again")
        with _one_line(path):
            rows = path.parent / Path(record["rows"]).name
            if digest(rows) != record["rows_digest"]:
                raise RunError(f"{rows} is not what {path.name} describes; delete both, run again")
            epsilons = tuple(Eps.parse(e) for e in record["epsilons"])
            about = {"attack": record["attack"], "norm": record["norm"], "epsilons": epsilons}
            self.__dict__.update(about, record=record, path=path, rows=rows)
            self.__dict__["tally"] = self._recorded or self._whole.tally

    path: Path
    rows: Path

    def __hash__(self) -> int:
        return hash((self.path, self.record["rows_digest"]))

    def __eq__(self, other: object) -> bool:
        mine = self.path, self.record
        return isinstance(other, Stored) and mine == (other.path, other.record)

    @property
    def samples(self) -> pd.DataFrame:
        """
        Raises:
            RunError: damaged, or they contradict the counts of the record.
        """
        return self._whole.samples

    def correct(self) -> pd.DataFrame:
        return self._whole.correct()

    @property
    def _recorded(self) -> Tally | None:
        found = self.record.get("tally")
        if not isinstance(found, dict) or found.get("of") != self.record["rows_digest"]:
            return None
        try:
            return Tally.read(found, len(self.epsilons))
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def _whole(self) -> Evaluation:
        return _read(self)


@lru_cache(maxsize=8)
def _read(stored: Stored) -> Evaluation:
    """With its rows."""
    with _one_line(stored.path):
        samples = _parse(stored.rows)
        check_rows(samples, stored.record, stored.epsilons, stored.rows)
        whole = Evaluation(stored.attack, stored.norm, stored.epsilons, samples, stored.record)
        tally = stored._recorded
        if tally and tally.document != whole.tally.document:
            raise RunError(
                f"{stored.path} counts otherwise than its rows in {stored.rows.name}; "
                "delete both, run again"
            )
        return whole


def _parse(rows: Path) -> pd.DataFrame:
    # as text first: some versions of pandas read floats to all but the last digit
    samples = pd.read_csv(rows, dtype={"eps": str, "distance": str, "member": str})
    samples["distance"] = samples["distance"].astype(float)
    if "member" in samples:
        samples["member"] = samples["member"].fillna("")
    return samples


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes of its reading, as one line."""
    try:
        yield
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
