"""Local paths as others may see them: a page is sent to people who know none of the folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePath

from robustbench_cli.runs.run import Run

_ABSOLUTE = re.compile(r"(?<![^:= ])/(?!/)[^,]*")
"""At the beginning of a text or of a value in a spec; not the slash of ``8/255``."""


def short_paths(texts: Iterable[str]) -> Callable[[str], str]:
    """What leaves of every absolute path in `texts` the fewest last parts that tell them apart.

    ``npz:/home/me/a.npz`` becomes ``npz:a.npz``; beside ``npz:/home/you/a.npz``, ``npz:me/a.npz``.
    Other paths stay as they are.
    """
    known = {path for text in texts for path in _ABSOLUTE.findall(text)}
    shared = Counter(end for path in known for end in _ends(path))
    ends = {path: next((end for end in _ends(path) if shared[end] == 1), path) for path in known}
    return lambda text: _ABSOLUTE.sub(lambda found: ends.get(found[0], found[0]), text)


def short_paths_of(runs: Iterable[Run]) -> Callable[[str], str]:
    """`short_paths` of all settings and directories of runs."""
    return short_paths(str(each) for run in runs for each in (run.path, *run.config.values()))


def _ends(path: str) -> list[str]:
    """Its last part, its last two, and so on, up to the whole."""
    parts = PurePath(path).parts
    return [str(PurePath(*parts[-count:])) for count in range(1, len(parts) + 1)]
