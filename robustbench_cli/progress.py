"""How long work tells that it goes on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, Callable[[], str]], None]
"""Told (units done, units in all, a function that describes the moment).

The function may make the device wait, so it is called only when somebody looks.
"""
