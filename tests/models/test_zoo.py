"""Networks of RobustBench's zoo, against what its own constructors give.

`zoo.json` was made outside of this repository from the constructors of RobustBench (wide_resnet.py,
resnet.py, dm_wide_resnet.py of its model zoo): for weights made by :func:`seeded`, the digest of
names and shapes, and the logits of two images. Names are kept where ours are others.
`zoo_entries.json` is what `tests/benchmarks/zoo.py` kept of entries for CIFAR-100 and ImageNet: the
first ten logits, also behind the normalisation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo import digest, logits, ours, seeded

from robustbench_cli.models.fitting import fit
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.runs.robustbench import CLASSES, entries
from robustbench_cli.spec import build

ZOO = json.loads(Path(__file__).with_name("zoo.json").read_text())
ENTRIES = json.loads(Path(__file__).with_name("zoo_entries.json").read_text())
ASIDE = ("mean", "std", "mu", "sigma", "num_batches_tracked")


def shapes_of(theirs: dict[str, Any], model: Model) -> dict[str, torch.Size]:
    """What the zoo's file holds; under our names where they are the same."""
    if theirs["names"]:
        pairs = (line.split() for line in theirs["names"])
        shapes = {name: torch.Size(map(int, shape.split("x"))) for name, shape in pairs}
    else:
        own = model.network.state_dict().items()
        shapes = {k: v.shape for k, v in own if k.rpartition(".")[2] not in ASIDE}
    assert (len(shapes), digest(shapes)) == (theirs["tensors"], theirs["digest"])
    return shapes


@pytest.mark.parametrize("spec", ZOO)
def test_a_network_gives_the_logits_of_the_zoos_own(spec: str) -> None:
    theirs = ZOO[spec]
    mean, std = theirs["mean_std"] or (None, None)
    with torch.device("meta"):
        model = make(build(Architecture, spec), (3, 32, 32), 10)
    model = model.to_empty(device="cpu").eval()
    model.normalise = type(model.normalise)(mean or [0.0] * 3, std or [1.0] * 3)
    shapes = shapes_of(theirs, model)
    how = fit(model, seeded(shapes))
    assert ("by name" in how) == (not theirs["names"])
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(x), torch.tensor(theirs["logits"]), rtol=1e-3, atol=1e-4)


LARGE = " timm:", " uneven-wide-resnet", " resnet18:width=128"
NAMED = [
    pytest.param(each, marks=[pytest.mark.slow] * any(large in each for large in LARGE))
    for each in ENTRIES
]


@pytest.mark.parametrize("named", NAMED)
def test_an_entry_gives_the_logits_of_the_zoos_own(named: str) -> None:
    theirs, (data, spec, normalise) = ENTRIES[named], named.split(" ")
    if spec.startswith("timm:"):
        pytest.importorskip("timm")
    model, side = ours(spec, data, normalise)
    shapes = shapes_of(theirs, model)
    fit(model, build(Architecture, spec).renamed(seeded(shapes), model.network))
    with torch.no_grad():
        found = logits(model, side)[:, :10]
    expected = torch.tensor(theirs["logits"])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


SPECS = sorted({(entry.model, entry.data) for entry in entries() if entry.model})


@pytest.mark.parametrize(("spec", "data"), SPECS)
def test_each_entry_names_a_network_that_can_be_built(spec: str, data: str) -> None:
    if spec.startswith("timm:"):
        pytest.importorskip("timm")
    side = 224 if data == "imagenet" else 32
    with torch.device("meta"):
        build(Architecture, spec).build((3, side, side), CLASSES[data])
