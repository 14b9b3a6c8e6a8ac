"""Adversarial images inside the page, and what they and costs say."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_runs import make_evaluation, make_run
from pages import Node, read, tables
from PIL import Image

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.writing import write_page
from robustbench_cli.runs.analysed import Analysed, Number
from robustbench_cli.runs.run import Run


def store(run: Run, clean: np.ndarray, image: np.ndarray, **columns: Sequence[object]) -> None:
    """An `adversarials` analysis of these images, (n, C, H, W)."""
    n = len(clean)
    texts = [[b64encode(each.tobytes()).decode() for each in part] for part in (clean, image)]
    rows = {
        "index": range(n),
        "eps": ["0.1"] * n,
        "label": [1] * n,
        "prediction": [7] * n,
        "confidence": [0.5] * n,
        "clean_confidence": [0.9] * n,
        "adversarial": [True] * n,
        "survives": [True] * n,
        "shape": ["x".join(map(str, clean.shape[1:]))] * n,
        "clean": texts[0],
        "image": texts[1],
        **columns,
    }
    record = {"parameters": {"attack": "linf-<i>pgd"}, "identity": {"analysis": "adversarials"}}
    numbers = (Number("adversarial", 1.0, "share", n),)
    Analysed("adversarials", pd.DataFrame(rows), numbers, record).save(run.path / "analyses")


def paged(run: Run, folder: Path) -> Node:
    write_page(run, folder / "it.html")
    return read((folder / "it.html").read_text("utf-8"))


def pixels(image: Node) -> np.ndarray:
    content = b64decode(image.attributes["src"].partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_adversarial_and_difference(tmp_path: Path, channels: int) -> None:
    """Of a run that was never attacked otherwise."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.2, 0.8, (2, channels, 5, 5)).astype(np.float32)
    image = clean + np.float32(0.1) * rng.choice([-1, 1], clean.shape).astype(np.float32)
    run = make_run(tmp_path / "runs")
    store(run, clean, image, adversarial=[True, False])
    root = paged(run, tmp_path)
    shown = [pixels(each).reshape(5, 5, channels) for each in root.every("img")]
    assert len(shown) == 6
    for i in range(2):
        wanted = [part[i].transpose(1, 2, 0) * 255 for part in (clean, image)]
        assert np.abs(shown[3 * i] - wanted[0]).max() <= 0.5
        assert np.abs(shown[3 * i + 1] - wanted[1]).max() <= 0.5
        changed = (shown[3 * i + 2] > 127).astype(int)
        assert (changed == (image[i] > clean[i]).transpose(1, 2, 0)).all()
    said = [node.text for node in root.every("small")]
    assert said[:3] == ["1, 90 %", "taken for 7, 50 %", "difference × 5"]
    assert said[4] == "held: 7, 50 %"
    assert all(each.attributes["alt"] for each in root.every("img"))
    captions = [node.text for node in root.every("figcaption")]
    assert "plain, seed 0, linf-<i>pgd, ε=0.1: clean, adversarial, difference" in captions
    assert not root.every("i")


def test_large_images_are_shrunk_and_points_are_no_images(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    large = np.zeros((1, 3, 100, 200), np.float32)
    store(run, large, large)
    assert pixels(paged(run, tmp_path).every("img")[0]).shape == (48, 96, 3)
    points = np.zeros((1, 2, 1, 1), np.float32)
    store(run, points, points)
    assert not paged(run, tmp_path).every("img")


def test_damage_is_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    images = np.zeros((1, 1, 4, 4), np.float32)
    store(run, images, images, shape=["1x5x5"])
    with pytest.raises(RunError, match=r"is damaged \(.*\); type: robustmix analyse") as refusal:
        paged(run, tmp_path)
    assert "\n" not in str(refusal.value) and not (tmp_path / "it.html").exists()


def test_costs_are_means_over_runs(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "runs", seed=seed) for seed in (0, 1)]
    for run, seconds in zip(runs, (2.0, 4.0), strict=True):
        cost = {"seconds": seconds, "forwards": 10, "backwards": 5}
        run.save(make_evaluation([0.1] * 20, cost=cost, device="a machine"))
        history = "epoch,loss,validation,learning_rate,seconds\n"
        rows = f"1,1.0,0.5,0.1,{seconds}\n2,0.5,0.6,0.1,{seconds}\n"
        (run.path / "history.csv").write_text(history + rows)
    write_page(runs, tmp_path / "it.html")
    shown = tables(read((tmp_path / "it.html").read_text("utf-8")))
    assert [row["seconds"] for row in shown["Training"]] == ["4", "8"]
    (row,) = shown["Attacks, means over runs"]
    assert row["runs"] == "2" and row["seconds"] == "3" and row["ms per image"] == "150"
    assert row["forwards per image"] == "10" and row["device"] == "a machine"
