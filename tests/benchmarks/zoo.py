"""RobustBench's list beside RobustBench: the table's facts, and every network that is built here.

    git clone https://github.com/RobustBench/robustbench CHECKOUT
    python tests/benchmarks/zoo.py CHECKOUT [--write] [--only TEXT]

Facts are compared with its `model_info`, keys of files with its `model_zoo`. Of every entry that is
built here, the zoo's own constructor is given random weights, as a file would be ours: names (where
they are kept), shapes, and logits of two images must agree. Entries whose constructors make the
same network, normalised alike, are run once. `--write` keeps what the smaller networks gave in
``tests/models/zoo_entries.json``. Needs timm; nothing is downloaded. Half an hour on two cores,
8 GiB of memory; not part of the test suite.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from zoo import SMALL, digest, logits, ours, seeded, theirs_of

from robustbench_cli.models.fitting import fit
from robustbench_cli.models.model import Architecture
from robustbench_cli.runs.robustbench import CLASSES, Entry, entries
from robustbench_cli.spec import build

FIXTURE = Path(__file__).parents[1] / "models" / "zoo_entries.json"
FOLDERS = {"linf": "Linf", "l2": "L2", "corruptions": "corruptions"}
ASIDE = ("mean", "std", "mu", "sigma")
CONSTANT = ("attn_mask", "relative_position_index")
"""What files of Swin hold besides weights, and follows from the sizes."""
NEEDLESS = ("gdown", "geotorch", "torchdiffeq")
"""Packages of networks that are not built here, and of downloads."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default="", help="entries whose name holds this text")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_grad_enabled(False)
    zoo = open_zoo(asked.checkout)
    wrong = [line for entry in entries() for line in facts(entry, zoo, asked.checkout)]
    print(f"{len(entries())} entries: {len(wrong)} facts differ")
    kept = json.loads(FIXTURE.read_text("utf-8")) if FIXTURE.is_file() else {}
    seen: dict[str, str] = {}
    for entry in entries():
        if not entry.model or asked.only not in str(entry):
            continue
        network = constructed(entry, zoo)
        kind = f"{type(network).__name__} {network!r} {carried(network)}"
        alike = f"{entry.model} {entry.normalise} {kind}"
        if alike in seen:
            print(f"{entry}: as {seen[alike]}", flush=True)
            continue
        seen[alike] = str(entry)
        found = compared(entry, network)
        wrong += [found] if isinstance(found, str) else []
        print(f"{entry}: {found if isinstance(found, str) else found['said']}", flush=True)
        if not isinstance(found, str) and entry.normalise and entry.model in SMALL:
            kept[f"{entry.data} {entry.model} {entry.normalise}"] = found["kept"]
            if asked.write:
                FIXTURE.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    print(*wrong, f"{len(seen)} networks run, {len(wrong)} disagreements", sep="\n")
    sys.exit(bool(wrong))


class Needless(types.ModuleType):
    """A package of which only the names are asked for."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


def open_zoo(checkout: Path) -> Mapping[str, Mapping[str, Any]]:
    """By data set and threat model, what RobustBench's zoo lists; its own package is passed by."""
    for name in NEEDLESS:
        sys.modules.setdefault(name, Needless(name))
    package = types.ModuleType("robustbench")
    package.__path__ = [str(checkout / "robustbench")]
    sys.modules["robustbench"] = package
    from torchvision import models

    made = models.resnet50
    models.resnet50 = lambda pretrained=False, **options: made(**options)
    from robustbench.model_zoo.models import model_dicts

    return {
        data.value: {threat.value.lower(): listed for threat, listed in threats.items()}
        for data, threats in model_dicts.items()
    }


def facts(entry: Entry, zoo: Mapping[str, Any], checkout: Path) -> list[str]:
    """What the table says otherwise than RobustBench."""
    folder = checkout / "model_info" / entry.data / FOLDERS[entry.threat]
    info = json.loads((folder / f"{entry.name}.json").read_text("utf-8"))
    robust = "corruptions_acc" if entry.threat == "corruptions" else "autoattack_acc"
    said = {
        "clean": info["clean_acc"],
        "robust": info[robust],
        "architecture": info["architecture"],
    }
    if entry.threat != "corruptions":
        said |= {"eps": info["eps"], "best_known": info.get("external") or ""}
    key = zoo[entry.data][entry.threat][entry.name]["gdrive_id"]
    if isinstance(key, str) and key:
        said["source"] = key
    return [
        f"{entry}: {name} {getattr(entry, name)!r}, at RobustBench {value!r}"
        for name, value in said.items()
        if str(getattr(entry, name)).replace(" ", "") != str(value).replace(" ", "")
    ]


def constructed(entry: Entry, zoo: Mapping[str, Any]) -> nn.Module:
    """The zoo's own network, as its `load_model` would make it, without weights."""
    import timm

    named = f"{entry.name}_{entry.data}_{entry.threat}".lower().replace("-", "_")
    if timm.is_model(named):
        return timm.create_model(named, num_classes=CLASSES[entry.data]).eval()
    made: nn.Module = zoo[entry.data][entry.threat][entry.name]["model"]()
    return made.eval()


def carried(network: nn.Module) -> list[list[float]]:
    """Mean and deviation that the network holds as buffers."""
    named = dict(network.named_buffers()).items()
    return [v.flatten().tolist() for k, v in named if k.rpartition(".")[2] in ASIDE]


def compared(entry: Entry, network: nn.Module) -> dict[str, Any] | str:
    """What is kept, or how they disagree."""
    inner = theirs_of(network)
    named: dict[str, Tensor] = inner.state_dict()
    state = seeded({k: v.shape for k, v in named.items() if counts(k)})
    inner.load_state_dict(state, strict=False)
    state |= {k: v for k, v in named.items() if k.endswith(CONSTANT)}  # in the file, too
    model, side = ours(entry.model, entry.data, entry.normalise)
    if not entry.normalise:  # the file carries it
        state |= {name: named[name] for name in ASIDE if name in named}
    architecture = build(Architecture, entry.model)  # as for a file: timm's own renaming
    read = architecture.renamed(state, model.network)
    how = fit(model, read)
    their, our = logits(network, side), logits(model, side)
    apart = float((their - our).abs().max() / their.abs().max())
    if apart > 1e-4 or float(their.std()) == 0:
        return f"logits differ by {apart:.1e} of the largest"
    shapes = {k: v.shape for k, v in state.items() if counts(k)}
    names = [f"{k} {'x'.join(map(str, shape))}" for k, shape in shapes.items()]
    kept = {
        "tensors": len(shapes),
        "digest": digest(shapes),
        "names": [] if "by name" in how and read is state else names,
        "logits": [[round(v, 5) for v in row[:10]] for row in their.tolist()],
    }
    return {"said": f"{how}; logits differ by {apart:.0e} of the largest", "kept": kept}


def counts(name: str) -> bool:
    return name.rpartition(".")[2] not in (*ASIDE, *CONSTANT, "num_batches_tracked")


if __name__ == "__main__":
    main()
