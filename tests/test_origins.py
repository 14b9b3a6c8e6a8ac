"""What names of somebody else's weights become, in a file and in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zoo
from two_tones import SPEC, two_tones, weights

from robustbench_cli import evaluate, transfer
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code

ZOO = "robustbench:Tones2020"


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The entry's file, where it is looked for."""
    zoo.a_list_of_one(monkeypatch)
    path = zoo.ENTRY.file(tmp_path)
    path.parent.mkdir(parents=True)
    return weights(path, 0.5)


def read(text: str, folder: Path) -> list[Run]:
    """The runs that the attacks of a file are about."""
    file = folder / "experiment.toml"
    file.write_text(text)
    found = read_experiment(file, Where(folder / "runs", folder, "cpu"))
    assert not found.train
    return [Run.open(path) for path in found.run_paths]


def test_an_entry_in_a_file_needs_nothing_else(placed: Path, tmp_path: Path) -> None:
    (run,) = read(f"[[attack]]\ncheckpoint = '{ZOO}'\neps = '0.1'", tmp_path)
    assert run.config["zoo"] == "robustbench:cifar10/linf/Tones2020"
    assert (run.config["data"], run.config["normalise"]) == (SPEC, "none")
    section = f"""
    [[attack]]
    checkpoint = ["{ZOO}", "{placed}"]
    data = "{SPEC}"
    model = "{zoo.ENTRY.model}"
    normalise = "0.5:0.3"
    eps = "0.1"
    """
    runs = read(section, tmp_path)
    assert [each.config["normalise"] for each in runs] == ["none", "0.5:0.3"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("checkpoint = 'robustbench:Tone'", "did you mean robustbench:Tones2020"),
        ("checkpoint = 'robustbench:l2/x'", "no networks for l2"),
        (f"checkpoint = '{ZOO}'\nnormalise = 'none'", f"normalise: of {ZOO} it is known"),
        (f"checkpoint = ['{ZOO}', 'net.pt']", "checkpoint needs data"),
        ("checkpoint = 'net.pt'\ndata = 'digits'", "checkpoint net.pt: no such file"),
        (f"checkpoint = '{ZOO}'\nepss = '0.1'", "has no 'epss'; did you mean 'eps'"),
        (f"checkpoint = '{ZOO}'\ndata = 'digits'", "tells 2 classes apart, and digits has 10"),
    ],
)
@pytest.mark.usefixtures("placed")
def test_a_slip_in_a_file_gets_one_line(section: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as e:
        read(f"[[attack]]\n{section}", tmp_path)
    assert message in str(e.value) and "\n" not in str(e.value)


def test_without_its_file_an_entry_says_where_it_is_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoo.a_list_of_one(monkeypatch)
    said = "no file .*Tones2020.pt; download https://drive.google.com/uc.id=KEY"
    with pytest.raises(UsageError, match=said):
        read(f"[[attack]]\ncheckpoint = '{ZOO}'", tmp_path)
    with pytest.raises(UsageError, match=said):
        evaluate(ZOO, runs_dir=tmp_path / "runs", data_dir=tmp_path)


@pytest.mark.usefixtures("placed")
def test_an_entry_in_python(tmp_path: Path) -> None:
    places = {"runs_dir": tmp_path / "runs", "data_dir": tmp_path, "device": "cpu"}
    found = evaluate(ZOO, attack="linf-fgsm", epsilons="0.2,0.4", checks="off", **places)  # type: ignore[arg-type]
    assert found.accuracy()["accuracy"].tolist() == [1.0, 0.0]
    with pytest.raises(UsageError, match="model is not for robustbench:Tones2020"):
        evaluate(ZOO, model="mlp", **places)  # type: ignore[arg-type]
    asked = {"attack": "linf-fgsm", "epsilons": "0.1", "checks": "off", **places}
    theirs = {"data": SPEC, "model": zoo.ENTRY.model, "normalise": "none"}
    evaluate(weights(tmp_path / "theirs.pt", 0.7), **theirs, **asked)  # type: ignore[arg-type]
    (other,) = (tmp_path / "runs").glob("*theirs*")
    shown = transfer(ZOO, [ZOO, other], **asked)  # type: ignore[arg-type]
    assert [each.record["white_box"] for each in shown] == [True, False]


def test_test_images_alone_do_where_nothing_is_found_out(placed: Path, tmp_path: Path) -> None:
    test = two_tones().test
    arrays = (test.pixels.numpy(), test.labels.numpy())
    np.savez(tmp_path / "tones.npz", x=arrays[0], y=arrays[1])
    spec = f"npz:{tmp_path / 'tones.npz'},part=test,layout=nchw"
    places = {"runs_dir": tmp_path / "runs", "data_dir": tmp_path, "device": "cpu"}
    asked = {"attack": "linf-fgsm", "epsilons": "0.2", "checks": "off", **places}
    for network in (ZOO, placed):
        for data in (spec, arrays):
            more = {} if network == ZOO else {"normalise": "none", "model": zoo.ENTRY.model}
            found = evaluate(network, data=data, **more, **asked)  # type: ignore[arg-type]
            assert found.accuracy()["accuracy"].tolist() == [1.0]
    with pytest.raises(UsageError, match="no training images that would show it; type --norm"):
        evaluate(placed, data=spec, model=zoo.ENTRY.model, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"num_classes": 10}, "net tells 10 classes apart, and two_tones:TwoTones has 2"),
        (
            {"input_size": [3, 1, 2]},
            r"made for images of 3x1x2, and two_tones:TwoTones has 1x1x2; bring others",
        ),
        (
            {"input_size": [1, 8, 8], "fixed_input_size": True},
            "made for images of 1x8x8, and two_tones:TwoTones has 1x1x2; bring others",
        ),
    ],
)
def test_images_for_which_a_network_is_not_made_are_refused(
    facts: dict[str, object], message: str, tmp_path: Path
) -> None:
    allow_code("two_tones")
    folder = zoo.from_hub(tmp_path / "net", architecture="resnet18", pretrained_cfg=facts)
    with pytest.raises(UsageError, match=message):
        evaluate(folder, data=SPEC, runs_dir=tmp_path / "runs")


def test_the_cache_of_the_hub_does_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    allow_code("two_tones")
    commit, cache = "c0" * 20, tmp_path / "cache" / "models--lab--net"
    zoo.from_hub(cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "v1").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = {"data": SPEC, "model": zoo.ENTRY.model, "runs_dir": tmp_path / "runs"}
    asked |= {"attack": "linf-fgsm", "epsilons": "0.2", "checks": "off", "normalise": "none"}
    found = evaluate("hf:lab/net@v1", device="cpu", **asked)  # type: ignore[arg-type]
    assert found.accuracy()["accuracy"].tolist() == [1.0]
    (run,) = (Run.open(path) for path in (tmp_path / "runs").iterdir())
    assert run.config["hub"] == f"hf:lab/net@{commit}/pytorch_model.bin"
    for name in ("hf:lab/other", "hf:lab/net", "hf:lab/net@v1/best.pt"):
        with pytest.raises(UsageError, match=r"cannot be reached .* and its cache has no"):
            evaluate(name, **asked)  # type: ignore[arg-type]


def test_a_file_of_many_times_its_network_is_not_read(tmp_path: Path) -> None:
    allow_code("two_tones")
    path = weights(tmp_path / "large.pt", 0.5)
    with path.open("ab") as file:
        file.truncate(2**21)
    with pytest.raises(RunError, match=r"has 2.0 MiB, the weights of this network 0.0; check --m"):
        evaluate(path, data=SPEC, model=zoo.ENTRY.model, runs_dir=tmp_path / "runs")
