"""256 colours instead of all: what a drawing consists of stays, and a photograph is refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from fake_runs import make_study
from PIL import Image

from robustbench_cli.reporting.few_colours import COLOURS, VISIBLE, in_few_colours
from robustbench_cli.reporting.report import figure


def test_paper_grids_lines_and_bands_keep_their_colours(tmp_path: Path) -> None:
    figure("decay-curve", make_study(tmp_path, seeds=1, n=50)).savefig(drawn := BytesIO(), dpi=100)
    whole = Image.open(drawn).convert("RGB")
    assert len(whole.getcolors(whole.width * whole.height)) > COLOURS
    few = in_few_colours(whole)
    assert few is not None and few.mode == "P"
    before, after = (np.asarray(each.convert("RGB"), int) for each in (whole, few))
    off = np.abs(before - after).max(2)
    assert off.mean() < 0.3 and (off > VISIBLE).mean() < 0.001
    colours, counts = np.unique(before.reshape(-1, 3), axis=0, return_counts=True)
    for colour in colours[np.argsort(-counts)[:30]]:
        assert not off[(before == colour).all(2)].any()


def test_few_colours_are_kept_to_the_bit() -> None:
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10, 1) * np.array([1, 2, 0], np.uint8)
    few = in_few_colours(Image.fromarray(pixels))
    assert few is not None and np.array_equal(np.asarray(few.convert("RGB")), pixels)


def test_a_photograph_has_too_many() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    assert in_few_colours(Image.fromarray(noise)) is None
