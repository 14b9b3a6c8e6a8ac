"""Trainings that begin with somebody's weights: found, recorded, and noticed where they change."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import two_tones
import zoo
from safetensors.torch import load_file, save_file
from tiny import TINY, contents, train_job

from robustbench_cli.errors import RobustmixError, RunError, UsageError
from robustbench_cli.jobs import TrainJob, Where
from robustbench_cli.jobs.starting import beginning
from robustbench_cli.progress import Progress
from robustbench_cli.runs import hub, robustbench
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.deploy import load_predictor

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
HERE = Path("runs")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(Run.open(run).weights)


def tuned(**changes: Any) -> TrainJob:
    return train_job(HERE, **{"method": "pgd-at:steps=1", "init": PLAIN, **changes})


def test_without_an_epoch_it_is_the_other_network(runs: Path) -> None:
    x = torch.rand(5, 2, 1, 1)
    path = tuned(epochs=0, seed=3).run()
    assert torch.equal(load_predictor(path)(x), load_predictor(runs / PLAIN)(x))
    assert f"init={PLAIN}" in path.name


def test_normalisation_comes_with_the_weights_unless_none_is_wanted(runs: Path) -> None:
    path = tuned(epochs=0, train_fraction=0.5).run()
    assert torch.equal(weights(path)["normalise.mean"], weights(runs / PLAIN)["normalise.mean"])
    bare = tuned(epochs=0, normalise=False).run()
    assert not weights(bare)["normalise.mean"].any()


def test_weights_that_may_know_the_held_out_images_are_told(
    runs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tuned(epochs=0).run()
    assert "held out here" not in caplog.text
    everything = train_job(HERE, validation=0.0).run()
    tuned(epochs=0, init=everything.name).run()
    assert "may have been trained on images that are held out here" in caplog.text


def test_what_is_frozen_stays_and_the_run_says_what_it_began_with(runs: Path) -> None:
    before, after = weights(runs / PLAIN), weights(tuned(freeze="fc1").run())
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"normalise.mean", "normalise.std", "network.fc1.weight", "network.fc1.bias"}
    run = Run.open(tuned(freeze="fc1").path)
    assert run.record["began"] == {"digest": Run.open(runs / PLAIN).weights_digest, "new": []}
    assert (run.config["init"], run.config["freeze"]) == (PLAIN, "fc1")


def test_a_run_is_not_finished_once_its_source_has_changed(runs: Path) -> None:
    job = tuned()
    job.run()
    assert job.done()
    changed = {name: value + 1 for name, value in weights(runs / PLAIN).items()}
    save_file(changed, Run.open(runs / PLAIN).weights)
    for ask in (job.done, job.run):
        with pytest.raises(RunError, match=f"began with other weights than {PLAIN} holds now"):
            ask()
    forced = TrainJob(job.config, job.where, force=True)
    forced.run()
    assert tuned().done()


def test_killed_and_resumed_it_is_as_if_never_killed(runs: Path, tmp_path: Path) -> None:
    straight = contents(tuned(freeze="fc1").run(), "*.safetensors")
    shutil.rmtree(tuned(freeze="fc1").path)

    class Killed(BaseException):
        pass

    def kill(done: int, total: int, tell: object) -> None:
        if done > 0.7 * total:
            raise Killed

    progress: Progress = kill
    with pytest.raises(Killed):
        tuned(freeze="fc1").run(progress)
    assert contents(tuned(freeze="fc1").run(), "*.safetensors") == straight


def test_a_file_of_several_sets_needs_a_key_and_is_never_unpickled(
    runs: Path, tmp_path: Path
) -> None:
    state = {k.removeprefix("network."): v for k, v in weights(runs / PLAIN).items()}
    body = {k: v for k, v in state.items() if not k.startswith("normalise")}
    torch.save({"model": body, "ema": {k: v + 1 for k, v in body.items()}}, "nets.pt")
    torch.save({"model": body, "code": Progress}, "evil.pt")
    with pytest.raises(RunError, match=r"--init nets\.pt: .*2 sets of weights.*--weights-key"):
        tuned(init="nets.pt", epochs=0).run()
    path = tuned(init="nets.pt", weights_key="ema", epochs=0).run()
    assert torch.equal(weights(path)["network.fc1.bias"], body["fc1.bias"] + 1)
    with pytest.raises(RunError, match="needs code to be loaded"):
        tuned(init="evil.pt").run()


def test_it_waits_for_a_run_that_another_job_trains(runs: Path) -> None:
    assert tuned().needs == (HERE / PLAIN,)
    assert tuned(init=f"elsewhere/{PLAIN}").needs == (Path("elsewhere") / PLAIN,)
    assert tuned(init=str(runs / PLAIN / "model.safetensors")).needs == (HERE / PLAIN,)
    assert train_job(HERE).needs == ()


def test_the_network_is_that_of_the_weights_where_none_is_named(runs: Path) -> None:
    assert beginning(None, None, HERE) == ("lenet5", None)
    for written in (PLAIN, f"runs/{PLAIN}", str((runs / PLAIN).resolve())):
        assert beginning(None, written, HERE) == (TINY["model"], PLAIN)
    assert beginning("small-cnn", PLAIN, HERE) == ("small-cnn", PLAIN)
    Path("net.pt").touch()
    with pytest.raises(UsageError, match=r"--init net.pt: of which network is it\?"):
        beginning(None, "net.pt", HERE)
    with pytest.raises(UsageError, match="--init nothing: no such run or file"):
        beginning(None, "nothing", HERE)


def test_weights_of_timm_are_a_setting_of_its_networks() -> None:
    pytest.importorskip("timm")
    spec = "timm:test_vit,patch-size=4"
    assert beginning(None, "timm:test_vit", HERE) == ("timm:test_vit,pretrained=true", None)
    assert beginning(spec, "timm:test_vit", HERE).model == (
        "timm:test_vit,pretrained=true,patch-size=4"
    )
    for other in ("lenet5", "timm:test_resnet"):
        with pytest.raises(UsageError, match="begins a training of timm:test_vit, not of"):
            beginning(other, "timm:test_vit", HERE)


def test_an_entry_of_a_list_brings_network_key_and_normalisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entry = replace(zoo.ENTRY, normalise="0.5:0.25", weights_key="ema", data="cifar10")
    zoo.a_list_of_one(monkeypatch)
    monkeypatch.setattr(robustbench, "entries", lambda: (entry,))
    begins = beginning(None, "robustbench:Tones2020", tmp_path)
    assert begins == (zoo.ENTRY.model, "robustbench:cifar10/linf/Tones2020")
    config = TrainConfig(data=two_tones.SPEC, epochs=0, **begins._asdict()).resolve()
    job = TrainJob(config, Where(tmp_path / "runs", tmp_path, "cpu"))
    assert job.needs == () and "init=Tones2020" in job.path.name
    with pytest.raises(UsageError, match=r"no file .*Tones2020\.pt; download"):
        job.run()
    path = entry.file(tmp_path)
    path.parent.mkdir(parents=True)
    state = torch.load(two_tones.weights(path, 0.5))
    torch.save({"model": {k: -v for k, v in state.items()}, "ema": state}, path)
    made = weights(job.run())
    assert job.done()
    assert [made[f"normalise.{n}"].item() for n in ("mean", "std")] == [0.5, 0.25]
    assert all(torch.equal(made[f"network.{name}"], value) for name, value in state.items())


def test_weights_of_the_hub_are_pinned_to_their_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_code("two_tones")
    folder = zoo.from_hub(tmp_path / "net")
    source = f"hf:lab/net@{'c0' * 20}/pytorch_model.bin"
    told = hub.Told(normalise="0.5:0.25", silence="its config.json is of transformers")
    held = hub.Held(folder / "pytorch_model.bin", "lab/net", source, told)
    monkeypatch.setattr(hub, "fetch", lambda _: held)
    with pytest.raises(UsageError, match="is of transformers; type --model NAME too"):
        beginning(None, "hf:lab/net", HERE)
    begins = beginning(zoo.ENTRY.model, "hf:lab/net@main", HERE)
    assert begins.init == source
    config = TrainConfig(data=two_tones.SPEC, epochs=0, **begins._asdict()).resolve()
    job = TrainJob(config, Where(tmp_path / "runs", tmp_path, "cpu"))
    assert "init=lab_net-c0c0c0c0" in job.path.name
    made = weights(job.run())
    assert [made[f"normalise.{n}"].item() for n in ("mean", "std")] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init": "nothing"}, "--init nothing: .* is no run"),
        ({"model": "mlp:width=8"}, r"does not fit mlp:width=8: .*shape: fc1.weight \(16x2, here 8"),
        ({"freeze": "conv"}, "--freeze conv: no such layer; there are: fc1, fc2, head"),
        ({"init": None, "weights_key": "ema"}, "type --init FILE too"),
    ],
)
def test_slips_are_answered_in_one_line(
    runs: Path, settings: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(RobustmixError, match=message) as e:
        tuned(**settings).run()
    assert "\n" not in str(e.value)
