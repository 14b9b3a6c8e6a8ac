"""The run directory: one trained network, or one of somebody else's, and all that was done to it.

    runs/digits-lenet5-mixup-alpha=1-s0/
      run.json            config, status, versions, device, seconds
      model.safetensors   weights, normalisation included
      history.csv         one row per epoch
      attacks/            one record (JSON) and one table (CSV, gzip) per evaluation
      validation/         the same on images that were held out of its training
      transfer/           the same for adversarials that this network's attacks made for others
      analyses/           one record and one table per analysis

Every file is written beside its place and renamed: a file that exists is complete. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from glob import glob, has_magic
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import digest, read_json, write_json
from robustbench_cli.schema import check_document

from .analysed import Analysed
from .evaluation import Evaluation
from .provenance import provenance
from .records import RUN, TRANSFER, check_record
from .rows import HISTORY

FORMAT = 1
Split = Literal["test", "validation"]
"""The images of an evaluation: those that nobody trained on, or those held out of the training."""

FOLDERS: dict[Split, str] = {"test": "attacks", "validation": "validation"}

_HUGGING_FACE = ("model.safetensors", "pytorch_model.bin")  # beside a config.json


@dataclass(frozen=True)
class Run:
    """One directory. `record` is what run.json held when it was opened.

    `split`: whose evaluations are its; see :meth:`on`.
    `only`: which of its results are looked at; see :meth:`with_only`.
    """

    path: Path
    record: dict[str, Any]
    split: Split = "test"
    only: frozenset[Path] | None = None

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """
        Raises:
            RunError: no run there, or one of a later robustmix.
        """
        path = Path(path)
        if not (path / "run.json").is_file():
            raise RunError(
                f"{path} is no run: it has no run.json; train one: robustmix train, "
                "or name a directory below runs/"
            )
        record = read_json(path / "run.json")
        check_record(record, RUN, FORMAT, path / "run.json", "train the run again")
        return cls(path, record)

    @classmethod
    def of(cls, record: Path) -> Run:
        """The run to which the record of an evaluation belongs, as seen by its images.

        Raises:
            RunError: as `open`.
        """
        run = cls.open(record.parent.parent)
        return run.on("validation") if record.parent.name == FOLDERS["validation"] else run

    def on(self, split: Split) -> Run:
        """The same run, of which tables and figures show what was measured on these images."""
        return replace(self, split=split)

    def with_only(self, records: frozenset[Path] | None) -> Run:
        """The same run, as if these records (resolved) were all that is stored; None: everything.

        Resolved by who has them, once for all its runs.
        """
        return replace(self, only=records)

    @cached_property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def config(self) -> dict[str, Any]:
        """What decides the weights: data, model, method, seed and the rest of the settings."""
        config: dict[str, Any] = self.record["config"]
        return config

    @property
    def finished(self) -> bool:
        return self.record.get("status") == "done" and self.weights.is_file()

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def weights_digest(self) -> str:
        try:
            return digest(self.weights)
        except OSError as e:
            raise RunError(f"{self.path} has no weights yet; finish it: robustmix train") from e

    def history(self) -> pd.DataFrame:
        """epoch, loss, validation (accuracy), learning_rate, seconds, and what methods report."""
        path = self.path / "history.csv"
        try:
            rows = pd.read_csv(path)
        except (OSError, ValueError) as e:
            reason = " ".join(str(e).split())
            raise RunError(f"{self.path} has no readable history.csv: {reason}") from e
        HISTORY.check(rows, path, "delete it, or train the run again: robustmix train --force")
        return rows

    def evaluations(self) -> list[Evaluation]:
        """Everything that attacked this network, in the order of the file names.

        On test images; on images held out of the training only for a run seen by them.
        """
        return [_load(path) for path in self._records(FOLDERS[self.split])]

    def transfers(self) -> list[Evaluation]:
        """What this network's attacks did to other networks; `record["target"]` names them."""
        if self.split != "test":
            return []
        found = {path: _load(path) for path in self._records("transfer")}
        for path, evaluation in found.items():
            check_document(evaluation.record, TRANSFER, path, "delete it and run again")
        return list(found.values())

    def analyses(self) -> list[Analysed]:
        """What looked at this network without being an attack, in the order of the file names."""
        return [Analysed.load(path) for path in self._records("analyses")]

    def _records(self, folder: str) -> list[Path]:
        stored = sorted((self.path / folder).glob("[!.]*.json"))
        return stored if self.only is None else [p for p in stored if p.resolve() in self.only]

    def save(self, evaluation: Evaluation) -> Path:
        split = evaluation.record.get("identity", {}).get("split", "test")
        return evaluation.save(self.path / FOLDERS[split])

    def update(self, **changes: Any) -> Run:
        """Rewrite run.json with some keys changed."""
        record = {**self.record, **changes}
        write_json(self.path / "run.json", record)
        return replace(self, record=record)


def _load(path: Path) -> Evaluation:
    """Read once for all who ask; a rewritten file is read anew."""
    try:
        stamp = path.stat()
    except OSError as e:
        raise RunError(f"cannot read {path}: {e.strerror or e}") from e
    return _load_stamped(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=65_536)
def _load_stamped(path: Path, _time: int, _size: int) -> Evaluation:
    return Evaluation.load(path)


def create(path: Path, config: dict[str, Any], **more: Any) -> Run:
    """A new directory with its run.json."""
    record = {
        "format": FORMAT,
        "config": config,
        "status": "new",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(),
        **more,
    }
    write_json(path / "run.json", record)
    return Run(path, record)


def load_runs(patterns: str | Path | Iterable[str | Path]) -> list[Run]:
    """The runs that paths and shell patterns name, in order, each once.

    A folder that holds runs stands for all of them.

    Raises:
        UsageError: nothing matches.
    """
    listed = [patterns] if isinstance(patterns, (str, Path)) else list(patterns)
    found: dict[Path, Run] = {}
    for pattern in listed:
        for path in _matches(str(pattern)):
            found.setdefault(path.resolve(), Run.open(path))
    return list(found.values())


def _matches(pattern: str) -> list[Path]:
    paths = [Path(p) for p in sorted(glob(pattern))] if has_magic(pattern) else []  # noqa: PTH207
    paths = paths or [Path(pattern)]
    found: list[Path] = []
    for path in paths:
        alone = (path / "run.json").is_file()
        found += [path] if alone else sorted(p.parent for p in path.glob("*/run.json"))
    if not found:
        for path in paths:
            refuse_hugging_face(path)
        missing = (
            "no run below it" if any(p.exists() for p in paths) else "no such file or directory"
        )
        raise UsageError(f"{pattern}: {missing}; train one: robustmix train, or check the path")
    return found


def refuse_hugging_face(path: Path) -> None:
    """
    Raises:
        UsageError: it is a folder as Hugging Face lays them out, with what to type instead.
    """
    if not (path / "config.json").is_file() or (path / "run.json").is_file():
        return
    if any((path / name).is_file() for name in _HUGGING_FACE):
        raise UsageError(
            f"{path} is a Hugging Face folder, not a run; attacked, it becomes one: "
            f"robustmix attack {path} --data SPEC"
        )
    if any((path / f"{name}.index.json").is_file() for name in _HUGGING_FACE):
        raise UsageError(
            f"{path} is a Hugging Face folder whose weights lie in several files; join them into "
            "one: save_file(model.state_dict(), 'weights.safetensors')"
        )
