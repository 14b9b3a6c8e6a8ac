"""The bars of a card."""

from __future__ import annotations

from xml.etree.ElementTree import tostring

from robustbench_cli.reporting.page.bars import Bar, bars


def test_no_number_is_crossed_out_by_the_line_of_chance() -> None:
    """What comes later is painted over it, numbers with a rim of the ground's colour."""
    drawn = tostring(
        bars([Bar("worst case", 0.058, 0.045, 0.074), Bar("clean", 0.98)], "L2", 0.1), "unicode"
    )
    assert drawn.index('class="chance"') < drawn.index(">5.8<") < drawn.index(">98.0<")
