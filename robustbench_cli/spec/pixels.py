"""Lengths in pixels of [0, 1]: the one check for those that were meant for 0..255."""

from __future__ import annotations

from robustbench_cli.errors import UsageError

from .values import shorten

_LONGEST = {"linf": 1.0, "l2": (3 * 32 * 32) ** 0.5}
"""Per norm, what no length exceeds: the range of a pixel, the diagonal of a CIFAR image.

A network is never trained on a longer L2 radius, not even of larger images; other norms are open.
"""


def refuse_unscaled(
    what: str,
    value: float,
    norm: str,
    written: str | None = None,
    *,
    longest: float | None = None,
) -> None:
    """This field's commonest mistake; `written` is the value as the user typed it.

    `longest`: what no length of the images at hand exceeds, where they are known.

    Raises:
        UsageError: `value` is longer than any length in pixels of [0, 1], with a guess.
    """
    longest = _LONGEST.get(norm) if longest is None else longest
    if longest is None or value <= longest:
        return
    text = written or shorten(value)
    raise UsageError(
        f"{what}{text} is outside [0, {shorten(round(longest, 1))}]; "
        f"pixels are in [0, 1], so did you mean {value:.6g}/255?"
    )
