"""Numbers as a reader sees them: percent with its interval, epsilons, a curve in characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from robustbench_cli.epsilon import Eps
from robustbench_cli.reporting.numbers.compare import Difference
from robustbench_cli.reporting.numbers.summary import Curve, Estimate

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0", "none": "no norm"}
_UNITS = {"l0": "changed values", "none": "share of the largest change"}
NONE = "–"
SMOOTHED = "smoothed"
"""The view of certificates, which are no attacks."""
INTERVALS = {
    "t": "Mean ± 95 % t interval over seeds.",
    "wilson": "[95 % Wilson interval] of one run: test sampling only.",
    "none": "Mean (both values) of two runs: no interval.",
}
_BARS = "▁▂▃▄▅▆▇█"


def percent(estimate: Estimate | None, digits: int = 1) -> str:
    """``93.1 ± 0.4``, ``93.1 [91.4–94.5]`` for one run, ``93.1 (92.8, 93.4)`` for two."""
    if estimate is None:
        return NONE
    value, half = _percent(estimate.value, digits), estimate.half_width
    if half is not None:
        return f"{value} ± {_percent(half, digits)}"
    if estimate.low is not None and estimate.high is not None:
        return f"{value} [{_percent(estimate.low, digits)}–{_percent(estimate.high, digits)}]"
    if len(estimate.values) > 1:
        return f"{value} ({', '.join(_percent(v, digits) for v in estimate.values)})"
    return value


def points(difference: Difference | None, digits: int = 1) -> str:
    """``+3.2 [+1.0, +5.1]*``: a difference in points, and a star where it is no accident."""
    if difference is None:
        return NONE
    text = signed(difference.value, digits)
    if difference.low is not None and difference.high is not None:
        low, high = (signed(bound, digits) for bound in (difference.low, difference.high))
        text += f" [{low}, {high}]"
    return text + "*" * difference.sure


def signed(share: float, digits: int = 1) -> str:
    """``+3.2`` points."""
    return f"{100 * share:+.{digits}f}".replace("-", "−")


def units(norms: Iterable[str]) -> str:
    """What epsilons of these norms count: ``pixels in [0, 1]; L0: changed values``."""
    distinct = dict.fromkeys(norms)
    special = [f"{NORMS[norm]}: {_UNITS[norm]}" for norm in distinct if norm in _UNITS]
    if len(special) == len(distinct) == 1:
        return special[0].partition(": ")[2]
    return "; ".join(["pixels in [0, 1]", *special])


def listing(names: Iterable[object], most: int = 4) -> str:
    """``a, b and c``, cut after a few."""
    listed = [str(name) for name in names]
    if len(listed) > most:
        listed = [*listed[:most], f"{len(listed) - most} more"]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def view_text(view: str) -> str:
    """``deployed view``; of certificates, what their accuracy is."""
    return "certified accuracy of the smoothed network" if view == SMOOTHED else f"{view} view"


def digits_for(n: int) -> int:
    """Decimals of a percentage that show one image in `n`."""
    return 2 if n >= 5000 else 1


def area(curve: Curve, digits: int = 1) -> str:
    """As a share in percent, with the interval that the rows have."""
    share = curve.share
    if share is None:
        return NONE
    return _percent(share.value, digits) if share.interval == "none" else percent(share, digits)


def half(curve: Curve) -> str:
    """The epsilon at half accuracy: ``0.213``, ``8.9/255`` on such a grid, or ``> 0.5``."""
    if curve.half is None:
        return NONE
    value = curve.half.value
    if in_255ths(curve.epsilons):
        text = f"{value * 255:.1f}/255"
    else:
        text = f"{value:.3f}" if value < 1 else f"{value:.2f}"
    if curve.half_reached:
        return text
    return f"> {curve.reach if value >= float(curve.reach) else text}"


def in_255ths(epsilons: Sequence[Eps]) -> bool:
    """Whether a grid was written as k/255."""
    above = [eps for eps in epsilons if eps.value]
    return bool(above) and all(eps.text.endswith("/255") for eps in above)


def sparkline(curve: Curve, reach: float, width: int = 10) -> str:
    """Accuracy from 0 (lowest bar) to 1 over `width` epsilons from 0 to `reach`."""
    x = [float(eps) for eps in curve.epsilons]
    y = [estimate.value for estimate in curve.accuracy]
    at = np.linspace(0, reach, width)
    bars = np.minimum((np.interp(at, x, y) * len(_BARS)).astype(int), len(_BARS) - 1)
    inside = at <= x[-1] * (1 + 1e-9)
    return "".join(_BARS[b] if i else " " for b, i in zip(bars, inside, strict=True))


def choose(epsilons: Sequence[Eps], most: int) -> list[Eps]:
    """At most `most` epsilons above 0 that people quote: 4/255, 8/255, 16/255; 0.1, 0.2, 0.3."""
    above = [eps for eps in epsilons if eps.value]
    if len(above) <= most:
        return above
    if in_255ths(above):
        usual = [Fraction(k, 255) for k in (8, 4, 16, 2, 1, 32)]
        chosen = [eps for value in usual for eps in above if eps.value == value][:most]
        if len(chosen) == most:
            return sorted(chosen)
    lengths = sorted({len(eps.text) for eps in above})
    short = above
    for length in lengths:
        short = [eps for eps in above if len(eps.text) <= length]
        if len(short) >= most:
            break
    stride = max(1, len(short) // (most + 1))  # not up to the end, where little is left to see
    return short[stride - 1 :: stride][:most]


def _percent(share: float, digits: int) -> str:
    return NONE if np.isnan(share) else f"{100 * share:.{digits}f}"
