"""Networks that a section names, beside those that ``[train]`` trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.experiment import values
from robustbench_cli.jobs import Where
from robustbench_cli.models.own import open_architecture
from robustbench_cli.origins import Attacks, Said, open_named, parts
from robustbench_cli.runs.given import is_foreign, is_untold
from robustbench_cli.runs.hub import ENDINGS
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import names as known_names

KEYS = ("data", "model", "normalise", "weights-key")
"""Of somebody else's weights, what their file does not say."""


def is_network(text: str) -> bool:
    """Whether it names networks where a method may stand, too."""
    first = text.partition(":")[0].partition("+")[0]
    if first in known_names("methods"):
        return False
    if "/" in first or text.endswith(ENDINGS):
        return True
    return any(is_foreign(part) or Path(part).is_dir() for part in parts(text))


def open_all(
    names: Sequence[str],
    section: Mapping[str, Any],
    where: Where,
    title: str,
    attacks: Attacks = lambda _: (),
) -> Iterator[Run]:
    """The runs of these names; somebody else's weights become some now. ``A+B`` is one of both.

    Raises:
        RobustmixError: one names nothing, or what the section says is too little, or too much.
    """
    said = Said(**values.options(section, dict.fromkeys(KEYS, str), title))
    if key := said.unneeded(names):
        of = f"of {names[0]} it is known" if names else "it is for somebody else's weights"
        raise UsageError(f"{title} {key.replace('_', '-')}: {of}; leave it out")
    for part in (each for name in names for each in parts(name)):
        if not said.data and is_untold(part):
            raise UsageError(f"{title} needs data: the data set it was trained on")
    if said.model:
        open_architecture(said.model, trusted=False)  # a file wrote it
    if said.data:
        attacks(said.data)  # before any file is read
    for name in names:
        try:
            yield from open_named(name, where, said, attacks)
        except RobustmixError as e:
            raise type(e)(f"{title} {e}") from e
