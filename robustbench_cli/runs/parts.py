"""Work in chunks, and finished chunks on disk: a killed evaluation goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.files import read_json, write
from robustbench_cli.progress import Progress

CHUNK = 500
"""Samples per unit of work: the most that a kill can cost. Part of a result's identity."""

Part = dict[str, Any]


class Parts:
    """A folder of documents that belong to one `key`; without a folder, nothing is kept.

    Documents of another key, and damaged ones, are removed. A document is whole or absent.
    """

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        self._folder = folder
        self._key: dict[str, Any] = json.loads(json.dumps(key))
        self._mark = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
        for path in folder.glob("chunk-*.json") if folder else ():
            if not path.name.startswith(f"chunk-{self._mark}-"):
                path.unlink(missing_ok=True)

    def each(
        self,
        n: int,
        work: Callable[[slice, Callable[[float, str], None]], Part],
        progress: Progress | None = None,
        *,
        size: int | None = None,
    ) -> list[Part]:
        """``work(chunk of 0..n, tell)`` for every chunk that is not on disk yet; all documents.

        `work` may call ``tell(share of the chunk that is done, what is being done)``. `size`: of a
        chunk; None: `CHUNK`.
        """
        documents, size = [], size or CHUNK
        for number, start in enumerate(range(0, n, size)):
            here = slice(start, min(start + size, n))
            document = self.load(number)
            if document is None:
                document = work(here, _teller(here, n, progress))
                self.save(number, document)
            documents.append(document)
            _teller(here, n, progress)(1.0, "")
        return documents

    def step(self, number: int, name: str, work: Callable[[], Part]) -> Part:
        """``work()``, a part of the chunk `number`, or what came of it before a kill.

        Steps are kept until their chunk is.
        """
        done = self.load(number, name)
        if done is None:
            done = work()
            self.save(number, done, name)
        return done

    def load(self, number: int, step: str = "") -> Part | None:
        path = self._path(number, step)
        if path is None or not path.exists():
            return None
        with contextlib.suppress(RunError):
            document = read_json(path)
            if document.pop("key", None) == self._key:
                return document
        path.unlink(missing_ok=True)
        return None

    def save(self, number: int, document: Part, step: str = "") -> None:
        path = self._path(number, step)
        if path is not None:
            write(path, json.dumps({"key": self._key, **document}))
            for spent in () if step else path.parent.glob(f"{path.stem}-*.json"):
                spent.unlink(missing_ok=True)

    def _path(self, number: int, step: str = "") -> Path | None:
        name = f"{number:05}-{step}" if step else f"{number:05}"
        return self._folder and self._folder / f"chunk-{self._mark}-{name}.json"


def _teller(here: slice, n: int, progress: Progress | None) -> Callable[[float, str], None]:
    def tell(share: float, moment: str) -> None:
        if progress is not None:
            progress(int(here.start + share * (here.stop - here.start)), n, lambda: moment)

    return tell
