"""Files of weights: whatever is in them, the answer is tensors or one clear line."""

from __future__ import annotations

import os
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from robustbench_cli.errors import RunError
from robustbench_cli.models.checkpoint import LARGEST, check_size, load_state


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(3, 4))


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as e:
        load_state(path)
    message = str(e.value)
    assert message.isprintable()  # so it is one line
    assert len(message) < 350
    return message


def assert_loads(path: Path) -> None:
    state, expected = load_state(path), network().state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name].to(state[name])) for name in expected)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
        lambda state: {"model_state_dict": state, "loss": torch.tensor(0.1)},
        lambda state: {"net": state, "acc": 93.2},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"state_dict_ema": state, "state_dict": state},  # one and the same
        lambda state: [{"deeper": ({"backbone": state}, 3)}],
        lambda state: {"params": state, "optimizer": {"state": {0: {"exp_avg": torch.eye(3)}}}},
        lambda state: {"student": state, "normalise": {"mean": torch.zeros(1)}},
        lambda state: {f"module.{k}": v for k, v in state.items()},
        lambda state: {"state_dict": {f"module.model._orig_mod.{k}": v for k, v in state.items()}},
        lambda state: {k: v.double() for k, v in state.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_usual_nests_prefixes_and_formats_are_read(
    wrap: Callable[[Any], Any], zipped: bool, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    document = wrap(network().state_dict())
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    assert_loads(path)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_safetensors_are_read_whatever_the_file_is_called(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    safetensors.torch.save_file(network().state_dict(), path)
    assert_loads(path)


def test_of_several_networks_in_a_file_the_user_names_one(tmp_path: Path) -> None:
    path, state = tmp_path / "weights.pt", network().state_dict()
    other = {name: value + 1 for name, value in state.items()}
    for document, keys in [
        ({"state_dict": [state, other]}, ["state_dict.0", "state_dict.1"]),
        ({"model": state, "model_ema": {"module": other}}, ["model", "model_ema.module"]),
    ]:
        torch.save(document, path)
        message = refusal(path)
        assert f"holds 2 sets of weights: {keys[0]} (9 tensors), {keys[1]} (9 tensors)" in message
        assert f"type --weights-key {keys[0]}" in message
        for key, expected in zip(keys, (state, other), strict=True):
            found = load_state(path, key)
            assert all(torch.equal(found[name], expected[name].to(found[name])) for name in found)
        with pytest.raises(RunError, match="no set of weights called nonsense; there are: "):
            load_state(path, "nonsense")


def test_of_several_networks_told_apart_by_prefixes_too(tmp_path: Path) -> None:
    path, state = tmp_path / "weights.pt", network().state_dict()
    other = {name: value + 1 for name, value in state.items()}
    both = {"student": state, "net.ema": other}
    flat = {f"{prefix}.{k}": v for prefix, each in both.items() for k, v in each.items()}
    torch.save({"state_dict": flat}, path)

    def complete(each: Mapping[str, Tensor]) -> bool:
        return each.keys() == state.keys()

    with pytest.raises(RunError, match=r"holds 2 sets of weights: state_dict\.student "):
        load_state(path, complete=complete)
    found = load_state(path, "state_dict.net.ema", complete)
    assert torch.equal(found["0.weight"], other["0.weight"])
    torch.save({k: v for k, v in flat.items() if k.startswith("student") or "0" in k}, path)
    assert load_state(path, complete=complete).keys() == state.keys()


def test_a_program_of_torch_export_is_called_by_its_name(tmp_path: Path) -> None:
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "program.pt2")
    message = refusal(tmp_path / "program.pt2")
    assert "is a program of torch.export, which is never run" in message
    torch.save(program.state_dict, tmp_path / "weights.pt")  # as it says
    assert load_state(tmp_path / "weights.pt").keys() == {"weight", "bias"}


def test_a_prefix_stays_where_taking_it_off_would_join_two_names(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"module.a": torch.zeros(1), "a": torch.ones(1)}, path)
    assert load_state(path).keys() == {"module.a", "a"}


class Malice:
    """A pickle that writes a file when it is loaded as code."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(zipped: bool, tmp_path: Path) -> None:
    path, target = tmp_path / "weights.pth", tmp_path / "run"
    document = {"state_dict": network().state_dict(), "extra": Malice(target)}
    torch.save(document, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert "needs code to be loaded (posix.system), which is never run" in message
    assert "torch.save(model.state_dict()" in message
    assert not target.exists()


def test_a_plain_pickle_is_not_opened(tmp_path: Path) -> None:
    path, target = tmp_path / "weights.pkl", tmp_path / "run"
    path.write_bytes(pickle.dumps(Malice(target)))
    assert "plain pickle" in refusal(path)
    assert not target.exists()


def test_a_whole_model_is_refused_by_the_name_of_its_class(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pt")
    assert "(torch.nn.modules.linear.Linear)" in refusal(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; download"),
        (b"\n <!DOCTYPE html><html>", "is a web page, not a checkpoint; download the file"),
        (b"\xef\xbb\xbf<HTML lang=en>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "type: git lfs pull"),
        (b"just some text", "damaged or no checkpoint"),
        (b"PK\x03\x04 and nothing more", "is cut short, damaged or no checkpoint"),
        (bytes(range(256)), "damaged or no checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_called_by_its_name(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert message in refusal(path)


def test_an_absent_file_a_folder_and_an_impossible_name_are_told_apart(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "absent.pt")
    assert "is a folder" in refusal(tmp_path)
    assert "cannot read" in refusal(tmp_path / "a\0b.pt")
    with pytest.raises(RunError, match=r"cannot read a+\.\.\.: File name too long$"):
        load_state("a" * 300 + ".pt")


def test_no_large_network_is_made_for_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "small.pt"
    path.write_bytes(bytes(2**20))
    check_size(path, 2**28)  # one that any machine holds: who compares the weights finds the words
    with pytest.raises(RunError, match=r"has 1.0 MiB, the weights of this network 1024.0; check"):
        check_size(path, 2**30)


def test_what_a_zip_file_would_unfold_to_is_looked_at_first(tmp_path: Path) -> None:
    """The same archive as `torch.save` writes it is read; packed, it is not even begun."""
    stored, packed = tmp_path / "stored.pt", tmp_path / "packed.pt"
    torch.save({"a": torch.zeros(100_000)}, stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry), zipfile.ZIP_DEFLATED)
    assert load_state(stored).keys() == {"a"}
    assert packed.stat().st_size < 10_000
    assert "bytes and would unfold to 40" in refusal(packed)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_a_file_too_large_for_a_network_is_not_read(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(LARGEST + 2**30)  # sparse: it takes no room on the disk
    assert "has 5.0 GiB, expected at most 4; save the weights alone" in refusal(tmp_path / name)


def test_safetensors_are_mapped_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(network().state_dict(), path)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert_loads(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1, 2], "no named tensors"),
        ({"epoch": 3}, "no named tensors"),
        ({"state_dict": {}}, "no named tensors"),
        ({3: torch.zeros(1)}, "no named tensors"),
        ({"a": torch.zeros(2), "b": torch.tensor([1.0, float("nan")])}, "b is not finite"),
        ({"a": torch.tensor([float("inf")])}, "a is not finite"),
        ({"a": torch.zeros(1).expand(10**9)}, "a claims to be larger than the file"),
        ({"a\nb": torch.zeros(1)}, "is damaged: a tensor is called 'a'"),
        ({"a": torch.eye(3).to_sparse()}, "a is a sparse, quantised or complex tensor"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "a is a sparse, quantised or complex"),
    ],
)
def test_files_without_usable_weights_are_refused(
    document: Any, message: str, tmp_path: Path
) -> None:
    torch.save(document, tmp_path / "weights.pt")
    assert message in refusal(tmp_path / "weights.pt")


def test_arrays_of_numpy_are_no_checkpoint(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", a=np.zeros(3))
    assert "no checkpoint" in refusal(tmp_path / "weights.npz")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_damaged_files_load_or_are_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    path, state = tmp_path / "weights.bin", network().state_dict()
    if kind == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    refused = 0
    for seed in range(200):
        path.write_bytes(damaged(whole, random.Random(seed)))
        try:
            assert load_state(path)
        except RunError as e:
            assert str(e).isprintable()
            refused += 1
    assert refused > 100


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut short, with a hole, or with up to nine other bytes, most of them near the beginning."""
    mutant = bytearray(content)
    place = rng.randrange(len(mutant))
    match rng.randrange(4):
        case 0:
            return bytes(mutant[:place])
        case 1:
            del mutant[place : place + rng.randrange(1, 50)]
        case _:
            near = rng.choice([len(mutant), 1000])
            for _ in range(rng.randrange(1, 10)):
                mutant[rng.randrange(min(near, len(mutant)))] = rng.randrange(256)
    return bytes(mutant)
