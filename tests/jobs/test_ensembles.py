"""A+B: found by its name, kept as a run of its own, attacked and crafted on like a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import two_tones
import zoo
from tiny import TINY, attack_job, train_job

from robustbench_cli import evaluate, transfer
from robustbench_cli.data.dataset import Dataset, open_data
from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where
from robustbench_cli.jobs.ensembles import gather, several
from robustbench_cli.jobs.starting import beginning
from robustbench_cli.origins import Said, open_named
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.training.deploy import load_predictor

ZERO, ONE, MIXUP = (
    f"runs/spirals-samples=40-mlp-width=16-{method}-epochs=2-s{seed}"
    for method, seed in (("plain", 0), ("plain", 1), ("mixup", 0))
)
HERE = Path("runs")


def opened(*paths: str) -> list[Run]:
    return [Run.open(path) for path in paths]


def test_a_name_is_read_as_several_only_where_it_is_none_itself(runs: Path) -> None:
    shutil.copytree(ZERO, "runs/a+b")
    assert several(ZERO) is several("runs/a+b") is several("nothing") is several("no+thing") is None
    assert several(f"{ZERO}+{ONE}") == ((ZERO, ONE), "logits")
    assert several(f"{ZERO}+runs/a+b+{ONE}") == ((ZERO, "runs/a+b", ONE), "logits")
    assert several(f"{ZERO}+{ONE}:mean=probabilities") == ((ZERO, ONE), "probabilities")
    long = "x" * 100
    for each in "abc":
        shutil.copytree(ZERO, f"{each}{long}")
    assert several(f"a{long}+b{long}+c{long}") == ((f"a{long}", f"b{long}", f"c{long}"), "logits")
    assert several(f"{ZERO}+runs/gone") == ((ZERO, "runs/gone"), "logits")
    with pytest.raises(UsageError, match="mean=median: expected logits or probabilities"):
        several(f"{ZERO}+{ONE}:mean=median")


@pytest.mark.parametrize("mean", ["logits", "probabilities"])
def test_the_run_is_the_mean_of_its_members_and_names_them(runs: Path, mean: Any) -> None:
    members = opened(ZERO, MIXUP)
    run = gather(members, mean, HERE)
    x = torch.rand(6, 2, 1, 1)
    answers = [load_predictor(each)(x) for each in members]
    if mean == "probabilities":
        expected = sum(each.softmax(1) for each in answers) / 2
        found = load_predictor(run)(x).softmax(1)
    else:
        expected, found = (answers[0] + answers[1]) / 2, load_predictor(run)(x)
    assert torch.allclose(found, expected, atol=1e-6, rtol=0)
    assert [(each["name"], each["weights"]) for each in run.record["members"]] == [
        (each.name, each.weights_digest) for each in members
    ]
    assert run.name.startswith("spirals-samples=40-ensemble-mlp-width=16-plain-epochs=2-s0+")


def test_it_is_made_once_and_anew_beside_it_where_a_member_has_changed(runs: Path) -> None:
    first = gather(opened(ZERO, ONE), "logits", HERE)
    stamp = (first.path / "run.json").stat().st_mtime_ns
    assert gather(opened(ZERO, ONE), "logits", HERE).path == first.path
    assert (first.path / "run.json").stat().st_mtime_ns == stamp
    x = torch.rand(6, 2, 1, 1)
    before = load_predictor(first)(x)
    shutil.copy(f"{MIXUP}/model.safetensors", f"{ONE}/model.safetensors")
    second = gather(opened(ZERO, ONE), "logits", HERE)
    assert second.path != first.path
    assert torch.equal(load_predictor(first.path)(x), before), "it keeps the weights it was made of"
    assert gather(opened(ZERO, ONE), "logits", HERE).path == second.path


def test_methods_that_change_the_network_and_defences_belong_to_the_members(runs: Path) -> None:
    vib = train_job(HERE, method="vib:size=4+bit-depth:bits=2").run()
    run = gather(opened(ZERO, str(vib)), "logits", HERE)
    x = torch.rand(6, 2, 1, 1)
    for view in ("deployed", "bare"):
        alone = [load_predictor(each, view=view)(x) for each in (ZERO, vib)]  # type: ignore[arg-type]
        found = load_predictor(run, view=view)(x)  # type: ignore[arg-type]
        assert torch.allclose(found, (alone[0] + alone[1]) / 2, atol=1e-6, rtol=0)


def test_white_box_and_transfer_go_by_its_gradient(runs: Path) -> None:
    """FGSM on the ensemble, by hand: the sign of the gradient of the mean logits' loss."""
    (found,) = transfer(f"{ZERO}+{MIXUP}", ONE, attack="linf-fgsm", epsilons="0.02", runs_dir=HERE)
    assert found.record["source"].startswith("spirals-samples=40-ensemble-")
    networks = [load_predictor(each) for each in (ZERO, MIXUP, ONE)]
    test = open_data(build(Dataset, TINY["data"]), Path()).test
    x = test.x.requires_grad_()
    mean = (networks[0](x) + networks[1](x)) / 2
    (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(mean, test.labels), x)
    moved = (x.detach() + 0.02 * slope.sign()).clamp(0, 1)
    rows = found.samples[found.samples["eps"] == "0.02"]
    assert np.array_equal(rows["source_prediction"], _said(networks[:2], moved))
    assert np.array_equal(rows["prediction"], _said(networks[2:], moved))


def _said(networks: list[torch.nn.Module], x: torch.Tensor) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        answer: np.ndarray[Any, Any] = sum(each(x) for each in networks).argmax(1).numpy()  # type: ignore[union-attr]
    return answer


def test_it_is_attacked_like_a_network_and_lends_its_images_to_an_attack(runs: Path) -> None:
    own = evaluate(f"{ZERO}+{ONE}", attack="linf-pgd:steps=3", epsilons="0.02", runs_dir=HERE)
    assert (own.path.parent.parent / "run.json").is_file()
    job = attack_job(
        Path(MIXUP), f"transfer:source={ZERO}+{ONE}:mean=probabilities,attack=linf-fgsm", "0.02"
    )
    assert job.needs == (Path(MIXUP), Path(ZERO), Path(ONE))
    job.run()
    assert job.done()
    assert json.loads(job.path.read_text())["identity"]["source_weights"] == (
        gather(opened(ZERO, ONE), "probabilities", HERE).weights_digest
    )


def test_a_file_may_be_a_member(runs: Path) -> None:
    state = load_predictor(ZERO, view="bare").state_dict()
    torch.save({k: v for k, v in state.items() if k.startswith("network")}, "net.pt")
    foreign = {"data": TINY["data"], "model": TINY["model"], "normalise": "none"}
    shared: dict[str, Any] = {"attack": "linf-fgsm", "epsilons": "0.02", "runs_dir": HERE}
    found = evaluate(f"net.pt+{ONE}", **shared, **foreign)
    members = Run.of(found.path).record["members"]
    assert [each["name"] for each in members] == ["spirals-samples=40-net-none", Path(ONE).name]
    with pytest.raises(UsageError, match="data is not for a run"):
        evaluate(f"{ZERO}+{ONE}", **shared, data=TINY["data"])


def test_a_file_of_an_experiment_may_attack_it(runs: Path, tmp_path: Path) -> None:
    text = '[[attack]]\ncheckpoint = "{}+{}"\ndata = "{}"\neps = "0.02"\n'
    file = tmp_path / "x.toml"
    file.write_text(text.format(ZERO, ONE, TINY["data"]))
    (job,) = read_experiment(file, Where(HERE)).attack
    assert job.target == gather(opened(ZERO, ONE), "logits", HERE).path
    file.write_text(text.format(ZERO, ONE, "digits"))
    with pytest.raises(UsageError, match="is for spirals:samples=40, not for digits"):
        read_experiment(file, Where(HERE))


def test_a_transfer_of_a_file_may_craft_on_it_and_trains_nothing(
    runs: Path, tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    text = '[[transfer]]\nsource = "{}+{}"\ntarget = "{}"\nattack = "linf-fgsm"\neps = "0.02"\n'
    file.write_text(text.format(ZERO, ONE, MIXUP))
    plan = read_experiment(file, Where(HERE))
    assert not plan.train
    whole = gather(opened(ZERO, ONE), "logits", HERE).path
    (job,) = plan.transfer
    assert (job.source, job.targets) == (whole, (Path(MIXUP),))
    assert plan.run_paths == [whole, Path(MIXUP)]


def test_entries_of_a_list_may_be_members(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.a_list_of_one(monkeypatch)
    path = zoo.ENTRY.file(tmp_path)
    path.parent.mkdir(parents=True)
    two_tones.weights(path, 0.5)
    other = two_tones.weights(tmp_path / "other.pt", 0.7)
    said = Said(data=two_tones.SPEC, model=two_tones.MODEL, normalise="none")
    (run,) = open_named(f"robustbench:Tones2020+{other}", Where(HERE, tmp_path, "cpu"), said)
    names = [each["name"] for each in run.record["members"]]
    assert "Tones2020" in names[0] and "other" in names[1]
    both = [Run.open(HERE / name) for name in names]
    x = torch.rand(6, 1, 1, 2)
    expected = sum(load_predictor(each)(x) for each in both) / 2
    assert torch.allclose(load_predictor(run)(x), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"data": "spirals:samples=60"}, "an ensemble needs networks for the same data"),
        ({"method": "quilting"}, "quilting draws from its run's own training images"),
    ],
)
def test_what_is_no_ensemble_is_refused_in_one_line(
    runs: Path, other: dict[str, Any], message: str
) -> None:
    second = train_job(HERE, **other).run() if "data" in other else _dressed(ONE, other["method"])
    with pytest.raises(RobustmixError, match=message):
        gather(opened(ZERO, str(second)), "logits", HERE)


def _dressed(path: str, method: str) -> Path:
    run = Run.open(path)
    run.update(config={**run.config, "method": method, "method_resolved": method})
    return run.path


def test_an_ensemble_is_no_member_and_no_beginning(runs: Path) -> None:
    whole = gather(opened(ZERO, ONE), "logits", HERE)
    with pytest.raises(UsageError, match="is an ensemble already; name its members one by one"):
        gather([whole, *opened(MIXUP)], "logits", HERE)
    with pytest.raises(UsageError, match="is several networks; name one of them"):
        beginning(None, str(whole.path), HERE)
