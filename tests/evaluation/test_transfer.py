"""Crafted once on the source, shown to every target, every sample scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack, Crafted, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.recording import record
from robustbench_cli.evaluation.transfer import identify_pair, transfer
from robustbench_cli.runs import parts
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build

EPSILONS = grid(["0,0.05,0.2"])


@pytest.fixture
def other() -> nn.Module:
    torch.manual_seed(9)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def test_one_evaluation_per_pair_with_every_sample(
    cnn: nn.Module, other: nn.Module, images: Images
) -> None:
    results = transfer({"a": cnn}, {"a": cnn, "b": other}, images, "linf-fgsm", EPSILONS)
    assert [(r.record["source"], r.record["target"]) for r in results] == [("a", "a"), ("a", "b")]
    assert [r.record["white_box"] for r in results] == [True, False]
    with torch.no_grad():
        clean = {"a": cnn.eval()(images.x).argmax(1), "b": other(images.x).argmax(1)}
    for result in results:
        rows = result.samples
        assert list(rows.columns) == [*Evaluation.COLUMNS, "source_clean", "source_prediction"]
        assert len(rows) == 60 * 3 and result.n == 60
        zero = rows[rows["eps"] == "0"]
        assert (zero["prediction"] == zero["clean"]).all() and not zero["attacked"].any()
        assert zero["clean"].tolist() == clean[result.record["target"]].tolist()
        assert zero["source_clean"].tolist() == clean["a"].tolist()
        moved = rows[rows["eps"] != "0"]
        assert moved["attacked"].all() and moved["distance"].notna().all()
        assert (moved["distance"] <= moved["eps"].astype(float) * (1 + 1e-6)).all()
    white = results[0].samples
    assert (white["prediction"] == white["source_prediction"]).all()
    shared = ["source_prediction", "distance", "attacked"]
    pd.testing.assert_frame_equal(white[shared], results[1].samples[shared])


def test_white_box_fgsm_breaks_what_evaluate_model_breaks(cnn: nn.Module, images: Images) -> None:
    (white,) = transfer({"a": cnn}, {"a": cnn}, images, "linf-fgsm", EPSILONS)
    alone = evaluate_model(cnn, images, "linf-fgsm", EPSILONS)
    right = (white.samples["clean"] == white.samples["label"]).to_numpy()
    assert white.samples["prediction"][right].equals(alone.samples["prediction"][right])


def test_targets_cost_no_crafting(cnn: nn.Module, other: nn.Module, images: Images) -> None:
    few = transfer({"a": cnn}, {"a": cnn}, images, "linf-bim:steps=3", EPSILONS)
    many = transfer(
        {"a": cnn}, {"a": cnn, "b": other, "c": other}, images, "linf-bim:steps=3", EPSILONS
    )
    assert few[0].record["cost"]["backwards"] == many[0].record["cost"]["backwards"] == 6


def test_a_minimal_norm_image_is_clipped_to_the_ball(
    cnn: nn.Module, other: nn.Module, images: Images
) -> None:
    (result,) = transfer({"a": cnn}, {"b": other}, images, "l2-deepfool", grid(["0.01,5"]))
    rows = result.samples
    same = rows["source_clean"] != rows["label"]
    assert same.sum() == 10
    assert rows[same]["distance"].isna().all() and not rows[same]["attacked"].any()
    small, large = (rows[~same & (rows["eps"] == eps)] for eps in ("0.01", "5"))
    assert small["distance"].max() == pytest.approx(0.01, rel=1e-5)
    assert (large["source_prediction"] != large["label"]).all()
    assert result.record["cost"]["backwards"] < 150


@dataclass(kw_only=True)
class Broken(Attack):
    """Sends one image out of the ball, and makes one NaN."""

    norm: ClassVar[Any] = "linf"

    def craft(self, model: Any, samples: Samples, eps: float | None) -> Crafted:
        images = (samples.x + 0.01).clamp(0, 1)
        images[0], images[1] = 0.5, torch.nan
        return Crafted(images)


def test_an_unsound_image_is_listed_and_the_unchanged_one_shown(
    cnn: nn.Module, other: nn.Module, images: Images
) -> None:
    (result,) = transfer({"a": cnn}, {"b": other}, images[:4], Broken(), grid(["0.05"]))
    rows = result.samples
    assert [e["index"] for e in result.record["rejected"]] == [0, 1]
    assert rows["distance"].isna().tolist() == [True, True, False, False]
    assert (rows["prediction"] == rows["clean"])[:2].all()


def test_answers_of_nan_are_listed_for_the_target_that_gave_them(
    cnn: nn.Module, other: nn.Module, images: Images
) -> None:
    class Fragile(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            changed = ((x * 255 - (x * 255).round()).abs() > 1e-3).flatten(1).any(1)
            return other(x).masked_fill(changed[:, None], torch.nan)

    first, second = transfer(
        {"a": cnn}, {"fragile": Fragile(), "b": other}, images, "linf-fgsm", grid(["0.05"])
    )
    assert len(first.record["rejected"]) == 60 and not second.record["rejected"]
    assert (first.samples["prediction"] == first.samples["clean"]).all()


def test_a_killed_transfer_goes_on(
    cnn: nn.Module,
    other: nn.Module,
    images: Images,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (parts, record):
        monkeypatch.setattr(module, "CHUNK", 20)
    told: list[int] = []

    def progress(done: int, total: int, moment: Callable[[], str]) -> None:
        told.append(done)
        assert total == 120
        if done == 100:
            raise KeyboardInterrupt

    def run(**more: Any) -> list[Evaluation]:
        networks = {"a": cnn, "b": other}
        return transfer(networks, networks, images, "linf-pgd:steps=2", EPSILONS, **more)

    with pytest.raises(KeyboardInterrupt):
        run(parts=tmp_path, progress=progress)
    assert told == sorted(told)
    for resumed, whole in zip(run(parts=tmp_path), run(), strict=True):
        pd.testing.assert_frame_equal(resumed.samples, whole.samples)


def test_identity_is_known_beforehand(cnn: nn.Module, images: Images) -> None:
    weights = {"a": "0123", "z": "4567"}
    (result,) = transfer(
        {"a": cnn},
        {"a": cnn},
        images,
        "linf-fgsm",
        EPSILONS,
        weights=weights,
        identity={"data": "d"},
    )
    attack = build(Attack, "linf-fgsm")
    expected = identify_pair(attack, EPSILONS, 60, "a", "a", weights=weights, more={"data": "d"})
    assert result.record["identity"] == expected
    assert expected["weights"] == {"a": "0123"}


def test_networks_are_needed(cnn: nn.Module, images: Images) -> None:
    with pytest.raises(UsageError, match="--source RUN --target RUN"):
        transfer({"a": cnn}, {}, images, "linf-fgsm", EPSILONS)
