"""Whole evaluations: right curves, equality with Foolbox, nothing left behind, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import foolbox as fb
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from robustbench_cli.data.dataset import Images
from robustbench_cli.epsilon import grid
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.recording import record
from robustbench_cli.evaluation.recording.record import identify
from robustbench_cli.runs import parts
from robustbench_cli.runs.evaluation import Evaluation, save_rows
from robustbench_cli.spec import build

EPSILONS = grid(ranges=["0:0.1:0.02"])


class Interrupted(Exception):
    pass


def stop_at(sample: int) -> Callable[[int, int, Callable[[], str]], None]:
    def progress(done: int, total: int, moment: Callable[[], str]) -> None:
        if done >= sample:
            raise Interrupted

    return progress


def the_bytes(evaluation: Evaluation, folder: Path) -> bytes:
    save_rows(evaluation.samples, folder / "rows.csv.gz")
    return (folder / "rows.csv.gz").read_bytes()


# curves that are known


def analytic(linear, distances: Tensor) -> list[float]:
    return [
        float((linear.right & (distances > float(eps))).double().mean()) for eps in linear.epsilons
    ]


@pytest.mark.parametrize("attack", ["linf-fgsm", "linf-bim", "linf-pgd"])
@pytest.mark.parametrize("schedule", ["ascending", "independent"])
def test_linf_curve_of_a_linear_model(linear, attack: str, schedule: str) -> None:
    found = evaluate_model(linear.model, linear.images, attack, linear.epsilons, schedule=schedule)
    assert found.accuracy()["accuracy"].tolist() == analytic(linear, linear.linf)
    assert not found.record["rejected"]


@pytest.mark.parametrize(("attack", "near"), [("l2-fgm", 0), ("l2-pgd", 0.02)])
def test_l2_curve_of_a_linear_model(linear, attack: str, near: float) -> None:
    wider = grid(ranges=["0:0.3:0.015"])
    found = evaluate_model(linear.model, linear.images, attack, wider)
    right = [float((linear.right & (linear.l2 > float(e))).double().mean()) for e in wider]
    assert found.accuracy()["accuracy"].tolist() == pytest.approx(right, abs=near + 1e-9)
    assert (found.accuracy()["accuracy"] >= np.array(right) - 1e-9).all()


@pytest.mark.parametrize(("attack", "worst"), [("l2-deepfool", 1.03), ("l2-boundary", 1.2)])
def test_minimal_norm_attacks_come_near_the_optimum(linear, attack: str, worst: float) -> None:
    found = evaluate_model(linear.model, linear.images[:100], attack, grid(["0.05,2"]))
    rows = found.samples[found.samples["eps"] == "2"]
    attacked = rows["attacked"].to_numpy()
    ratio = rows["distance"].to_numpy()[attacked] / linear.l2[:100].numpy()[attacked]
    assert attacked.sum() == 90
    assert ratio.min() > 1 - 1e-6
    assert np.median(ratio) < worst
    small = found.samples[found.samples["eps"] == "0.05"]
    broken = small["prediction"] != small["label"]
    assert (broken == (~small["attacked"] | (small["distance"] <= 0.05))).all()


# the same as Foolbox


def foolbox_verdicts(attack, cnn: nn.Module, images: Images, eps: float) -> np.ndarray:
    _, _, broken = attack(
        fb.PyTorchModel(cnn.eval(), (0, 1)), images.x, images.labels, epsilons=eps
    )
    return broken.numpy()


def test_fgsm_verdicts_are_those_of_foolbox(cnn: nn.Module, images: Images) -> None:
    found = evaluate_model(cnn, images, "linf-fgsm", EPSILONS)
    clean = (found.samples["clean"] != found.samples["label"])[: len(images)].to_numpy()
    for eps in EPSILONS[1:]:
        plain = foolbox_verdicts(fb.attacks.FGSM(), cnn, images, float(eps))
        ours = ~found.correct()[eps.text].to_numpy()
        assert (ours == (plain | clean)).all()
    assert 0 < ours.sum() < len(images)


def test_pgd_verdicts_are_those_of_foolbox_for_all_that_were_attacked(
    cnn: nn.Module, images: Images
) -> None:
    spec = "linf-pgd:steps=5,random-start=false"
    raw = evaluate_model(cnn, images, spec, EPSILONS, schedule="independent")
    once = evaluate_model(cnn, images, spec, EPSILONS)
    plain_attack = fb.attacks.LinfPGD(rel_stepsize=0.5, steps=5, random_start=False)
    for eps in EPSILONS[1:]:
        plain = foolbox_verdicts(plain_attack, cnn, images, float(eps))
        for found in (raw, once):
            rows = found.samples[found.samples["eps"] == eps.text]
            tried = rows["attacked"].to_numpy()
            broken = (rows["prediction"] != rows["label"]).to_numpy()
            assert (broken == plain)[tried].all()
    assert once.record["cost"]["backwards"] < raw.record["cost"]["backwards"]


# what the rows say


def test_eps_0_is_clean_and_clean_errors_are_never_attacked(cnn: nn.Module, images: Images) -> None:
    found = evaluate_model(cnn, images, "linf-pgd:steps=3", EPSILONS)
    rows = found.samples
    assert list(rows.columns) == list(Evaluation.COLUMNS)
    assert rows["eps"].unique().tolist() == [e.text for e in EPSILONS]
    zero = rows[rows["eps"] == "0"]
    assert (zero["prediction"] == zero["clean"]).all() and not zero["attacked"].any()
    wrong = rows[rows["clean"] != rows["label"]]
    assert len(wrong) == 5 * len(EPSILONS) and not wrong["attacked"].any()
    assert (wrong["prediction"] == wrong["clean"]).all() and wrong["distance"].isna().all()


def test_ascending_carries_what_is_broken(cnn: nn.Module, images: Images) -> None:
    rows = evaluate_model(cnn, images, "linf-pgd:steps=3", EPSILONS, schedule="ascending").samples
    for _, sample in rows[rows["clean"] == rows["label"]].groupby("index"):
        broken = (sample["prediction"] != sample["label"]).tolist()
        first = broken.index(True) if True in broken else len(broken)
        assert all(broken[first:])
        assert sample["attacked"].tolist() == [False] + [i <= first for i in range(1, len(broken))]
        assert sample["distance"][first:].nunique() <= 1


def test_record_says_what_was_done(cnn: nn.Module, images: Images) -> None:
    more = {"weights": "abc"}
    found = evaluate_model(cnn, images, "linf-fgsm", EPSILONS, seed=3, identity=more)
    attack = build(Attack, "linf-fgsm")
    assert found.record["identity"] == identify(attack, EPSILONS, 60, seed=3, more=more)
    assert found.record["identity"]["schedule"] == "independent"  # one-step: always raw
    assert found.record["kind"] == "budget" and found.record["access"] == "gradient"
    assert {"versions", "device", "cost", "notes", "failed", "rejected"} <= found.record.keys()


def test_a_one_step_attack_takes_one_gradient_for_the_whole_grid(
    cnn: nn.Module, images: Images
) -> None:
    found = evaluate_model(cnn, images, "linf-fgsm", EPSILONS)
    assert found.record["cost"]["backwards"] == pytest.approx(55 / 60)


def test_a_network_without_gradient_is_not_broken_and_named(images: Images) -> None:
    class Threshold(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0.5).float().flatten(1)[:, :4]

    with torch.no_grad():
        images = Images(images.pixels, Threshold()(images.x).argmax(1))
    found = evaluate_model(Threshold(), images, "linf-pgd:steps=2,random-start=false", EPSILONS)
    assert found.accuracy()["accuracy"].tolist() == [1.0] * len(EPSILONS)
    assert "no gradient at its input" in found.record["notes"][0]


@pytest.mark.parametrize("epsilons", [(), EPSILONS])
def test_nothing_to_do_is_refused(cnn: nn.Module, images: Images, epsilons) -> None:
    with pytest.raises(UsageError, match=r"no epsilon|no image"):
        evaluate_model(cnn, images if not epsilons else images[:0], "linf-fgsm", epsilons)


# nothing is left behind


def test_the_model_comes_back_as_it_was_even_after_an_exception(
    cnn: nn.Sequential, images: Images
) -> None:
    cnn[2].eval()
    before = {k: v.clone() for k, v in cnn.state_dict().items()}
    state = torch.get_rng_state()
    with pytest.raises(Interrupted):
        evaluate_model(cnn, images, "linf-pgd:steps=2", EPSILONS, progress=stop_at(1))
    assert cnn.training and not cnn[2].training
    assert all(p.requires_grad and p.grad is None for p in cnn.parameters())
    assert all(torch.equal(v, before[k]) for k, v in cnn.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in cnn.modules())


def test_buffers_that_change_in_eval_mode_are_noted(cnn: nn.Module, images: Images) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = cnn
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.net(x)

    model = Counting()
    found = evaluate_model(model, images, "linf-fgsm", EPSILONS)
    assert "buffers changed in eval mode and were put back: calls" in found.record["notes"]
    assert model.calls == 0


# the same again


@pytest.mark.parametrize("attack", ["linf-pgd:steps=3,restarts=2", "linf-noise:draws=3"])
def test_same_arguments_same_rows(cnn: nn.Module, images: Images, attack: str) -> None:
    first, again = (evaluate_model(cnn, images, attack, EPSILONS).samples for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    other = evaluate_model(cnn, images, attack, EPSILONS, seed=1).samples
    assert not first["distance"].equals(other["distance"])


@pytest.mark.parametrize("attack", ["linf-fgsm", "linf-bim", "l2-deepfool"])
def test_batch_size_does_not_matter_without_randomness(
    cnn: nn.Module, images: Images, attack: str
) -> None:
    one, two = (
        evaluate_model(cnn, images, attack, EPSILONS, batch_size=b).samples for b in (7, 60)
    )
    pd.testing.assert_frame_equal(one.drop(columns="distance"), two.drop(columns="distance"))
    np.testing.assert_allclose(one["distance"], two["distance"], rtol=1e-4)


def test_memory_running_out_changes_no_verdict(cnn: nn.Module, images: Images) -> None:
    class Small(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 20:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return cnn.eval()(x)

    found = evaluate_model(Small(), images, "linf-fgsm", EPSILONS, batch_size=30)
    plain = evaluate_model(cnn, images, "linf-fgsm", EPSILONS)
    assert found.samples["prediction"].equals(plain.samples["prediction"])
    assert found.record["notes"] == ["out of memory with 30 images at once; went on with 15"]


def test_a_killed_evaluation_goes_on_where_it_was(
    cnn: nn.Module, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (parts, record):
        monkeypatch.setattr(module, "CHUNK", 20)
    attack, backwards = "linf-pgd:steps=3", [0]
    cnn[0].register_full_backward_hook(lambda *_: backwards.__setitem__(0, backwards[0] + 1))

    def run(**more: object) -> tuple[Evaluation, int]:
        before = backwards[0]
        found = evaluate_model(cnn, images, attack, EPSILONS, parts=tmp_path / "parts", **more)
        return found, backwards[0] - before

    with pytest.raises(Interrupted):
        run(progress=stop_at(40))
    assert len(list((tmp_path / "parts").iterdir())) == 2
    resumed, few = run()
    for path in (tmp_path / "parts").iterdir():
        path.unlink()
    whole, all_of_them = run()
    assert the_bytes(resumed, tmp_path) == the_bytes(whole, tmp_path)
    assert resumed.record["cost"]["backwards"] == whole.record["cost"]["backwards"]
    assert 0 < few < all_of_them / 2
    assert run()[1] == 0
    assert run(seed=1)[1] > 0  # another identity shares nothing
    assert len(list((tmp_path / "parts").iterdir())) == 3


def test_another_network_does_not_continue_the_work(
    cnn: nn.Sequential, images: Images, tmp_path: Path
) -> None:
    evaluate_model(cnn, images, "linf-fgsm", EPSILONS, parts=tmp_path)
    (before,) = tmp_path.iterdir()
    with torch.no_grad():
        cnn[-1].bias += 0.1 * torch.arange(4)
    evaluate_model(cnn, images, "linf-fgsm", EPSILONS, parts=tmp_path)
    (after,) = tmp_path.iterdir()
    assert before != after
