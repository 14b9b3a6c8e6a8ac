"""What is said of a data set once in a process, however often it is loaded or read."""

from __future__ import annotations

import logging
from collections.abc import Hashable

_said: set[Hashable] = set()


def warn_once(log: logging.Logger, about: Hashable, message: str, *values: object) -> None:
    """Log a warning, unless this logger said something `about` the same before."""
    key = (log.name, about)
    if key not in _said:
        _said.add(key)
        log.warning(message, *values)
