"""What is taken from the Hugging Face hub, and what its config.json may say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from robustbench_cli.errors import RobustmixError, UsageError
from robustbench_cli.runs import hub

COMMIT = "c0" * 20
CONFIG = {
    "architecture": "resnet18",
    "num_classes": 10,
    "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.25], "input_size": [3, 32, 32]},
}


def error(name: str, *bases: type[Exception]) -> Exception:
    """As huggingface_hub raises them, which need not be installed here."""
    made: Exception = type(name, bases or (Exception,), {})("so it is")
    return made


class Hub:
    """Stands for huggingface_hub: a cache, and whether there is a network."""

    def __init__(self, cache: Path, *, online: bool = True) -> None:
        self.snapshot = cache / "models--lab--net" / "snapshots" / COMMIT
        self.online, self.sizes, self.asked = online, {}, []  # type: ignore[var-annotated]
        self.cached = {"model.safetensors", "config.json"}

    def hf_hub_url(self, **which: Any) -> str:
        return str(which["filename"])

    def get_hf_file_metadata(self, url: str) -> SimpleNamespace:
        if not self.online:
            raise error("OfflineModeIsEnabled", ConnectionError)
        if not (self.snapshot / url).is_file():
            raise error("RemoteEntryNotFoundError", type("EntryNotFoundError", (Exception,), {}))
        return SimpleNamespace(size=self.sizes.get(url, 10))

    def hf_hub_download(self, **which: Any) -> str:
        self.asked.append(which)
        file = self.snapshot / which["filename"]
        if which.get("local_files_only") and (not file.is_file() or file.name not in self.cached):
            raise error("LocalEntryNotFoundError", FileNotFoundError)
        return str(file)

    def list_repo_files(self, *_: Any, **__: Any) -> list[str]:
        return sorted(path.name for path in self.snapshot.iterdir())


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path)
    found.snapshot.mkdir(parents=True)
    (found.snapshot / "model.safetensors").write_bytes(b"weights")
    (found.snapshot / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr(hub, "_library", lambda: found)
    return found


@pytest.mark.parametrize("online", [True, False])
def test_a_repository_is_weights_and_what_timm_wrote_beside_them(there: Hub, online: bool) -> None:
    there.online = online
    held = hub.fetch("hf:lab/net@v1")
    assert held.weights.read_bytes() == b"weights"
    assert (held.name, held.source) == ("lab/net", f"hf:lab/net@{COMMIT}/model.safetensors")
    assert held.told == hub.Told(
        model="timm:resnet18",
        normalise="0.5,0.4,0.3:0.2,0.2,0.25",
        classes=10,
        shape=(3, 32, 32),
    )
    assert {each["revision"] for each in there.asked} == {"v1"}
    assert all(each.get("local_files_only", False) != online for each in there.asked)


def test_a_file_may_be_named_also_in_a_folder(there: Hub) -> None:
    (there.snapshot / "sub").mkdir()
    (there.snapshot / "sub" / "last.pt").touch()
    held = hub.fetch("hf:lab/net/sub/last.pt")
    assert held.source == f"hf:lab/net@{COMMIT}/sub/last.pt"
    assert held.told.model is None and "no config.json" in held.told.silence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hf:net", "expected hf:OWNER/REPO, hf:OWNER/REPO@REVISION, or with /FILE"),
        ("hf:lab/net/none.pt", "the repository has no such file"),
    ],
)
@pytest.mark.usefixtures("there")
def test_a_slip_gets_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hub.fetch(text)


def test_without_usual_names_the_files_are_listed(there: Hub) -> None:
    (there.snapshot / "model.safetensors").rename(there.snapshot / "best.pt")
    said = "no model.safetensors or pytorch_model.bin there; it has best.pt; .* hf:lab/net/best.pt"
    with pytest.raises(UsageError, match=said):
        hub.fetch("hf:lab/net")


def test_without_a_network_and_a_cache_it_says_what_to_bring(there: Hub) -> None:
    there.online, there.cached = False, set()
    said = "cannot be reached .* type: hf download lab/net --revision v1, and bring the folder"
    with pytest.raises(UsageError, match=said):
        hub.fetch("hf:lab/net@v1")
    there.cached = {"model.safetensors"}
    assert hub.fetch("hf:lab/net").told.silence == "its config.json is not in the cache"


def test_what_is_too_large_is_not_fetched(there: Hub) -> None:
    there.sizes["model.safetensors"] = 5 * 2**30
    with pytest.raises(UsageError, match=r"model.safetensors has 5.0 GiB, expected at most 4"):
        hub.fetch("hf:lab/net")
    assert not there.asked


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RepositoryNotFoundError", "no such repository, or a private one"),
        ("RevisionNotFoundError", "it has no revision v1"),
        ("GatedRepoError", "accepted at https://huggingface.co/lab/net, and then type"),
        ("SomethingElse", "SomethingElse: so it is"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    name: str, message: str, there: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise error(name)

    monkeypatch.setattr(there, "get_hf_file_metadata", refuse)
    with pytest.raises(UsageError, match=message) as e:
        hub.fetch("hf:lab/net@v1")
    assert "\n" not in str(e.value)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise ImportError

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(UsageError, match=r'pip install "robustmix\[hub\]"'):
        hub.fetch("hf:lab/net")


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        ({"model_args": {"patch_size": 4, "img_size": 32}}, "timm:resnet18,patch-size=4"),
        ({"architecture": "resnet18.a1_in1k"}, "timm:resnet18.a1_in1k"),
        ({"architecture": None, "architectures": ["ViTForImageClassification"]}, None),
        ({"architecture": None}, None),
    ],
)
def test_what_a_config_says_of_the_network(
    changes: dict[str, Any], model: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, **changes}))
    told = hub.read_config(path)
    assert told.model == model
    assert bool(told.silence) == (model is None)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({**CONFIG, "architecture": "resnet18,pretrained=true"}),
        json.dumps({**CONFIG, "architecture": "my_lab.nets:MyNet"}),
        json.dumps({**CONFIG, "model_args": {"act_layer": "relu"}}),
        json.dumps({**CONFIG, "model_args": {"patch_size": "4,pretrained=true"}}),
        json.dumps({**CONFIG, "model_args": [1]}),
        json.dumps({**CONFIG, "pretrained_cfg": {"mean": "abc", "std": [1]}}),
        json.dumps({**CONFIG, "pretrained_cfg": {"input_size": [3]}}),
        json.dumps({**CONFIG, "pretrained_cfg": {"input_size": [3, float("inf"), 1]}}),
        json.dumps({**CONFIG, "pretrained_cfg": {"mean": [10**400], "std": [1]}}),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(RobustmixError) as e:
        hub.read_config(path)
    assert str(path) in str(e.value) and "\n" not in str(e.value)


def test_a_folder_from_the_hub_is_told_from_a_run(tmp_path: Path) -> None:
    assert not hub.is_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "a.pt").touch()
    (tmp_path / "b.pt").touch()
    assert hub.is_folder(tmp_path)
    with pytest.raises(UsageError, match=r"holds a.pt, b.pt; name one of them: .*a.pt"):
        hub.open_folder(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert hub.open_folder(tmp_path).weights.name == "model.safetensors"
    (tmp_path / "run.json").touch()
    assert not hub.is_folder(tmp_path)
