"""Twenty networks of others, whose normalisation is known here and nowhere in their files.

    python tests/benchmarks/foreign_networks.py --data-dir DATA --checkpoints FOLDER

Published weights (where `--checkpoints` holds them), and small networks trained here, most of them
adversarially, with and without normalisation. Each also as a file with its normalisation folded
into the first layer, or taken out of it. Every file is adopted as by
``robustmix attack FILE -a linf-pgd:steps=10 -e EPS --samples N``, and then attacked on test images
under every usual normalisation. Two things may not happen:

wrong      the guess gives another accuracy than the truth, beyond the interval of N images
needless   a question, where no other normalisation with a clean accuracy within 5 points of the
           truth's would give another accuracy, or where one answer is left

`--seed` trains other networks than those that the guess was made with: a blind row.

About ten minutes of one CPU; what is trained stays in `--runs-dir`. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from robustbench_cli import train
from robustbench_cli.adopt import adopt
from robustbench_cli.data.dataset import Data, Dataset, open_data
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RobustmixError
from robustbench_cli.evaluation.choosing import withstand
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.models.checkpoint import load_state
from robustbench_cli.models.fitting import fit
from robustbench_cli.models.infer import fitting
from robustbench_cli.models.model import Normalise, make
from robustbench_cli.models.normalisation import usual
from robustbench_cli.spec import build
from robustbench_cli.statistics.intervals import half_width

CLOSE = 0.05
ATTACK = "linf-pgd:steps=10"


class Case(NamedTuple):
    """A file's weights, and what its author knows."""

    name: str
    data: str
    state: dict[str, Tensor]
    truth: str
    eps: str


class Published(NamedTuple):
    file: str
    data: str
    truth: str
    eps: str
    foldable: bool


class Trained(NamedTuple):
    data: str
    model: str
    method: str
    epochs: int
    normalise: bool
    eps: str


PUBLISHED = (
    Published("fast_adversarial_mnist_fgsm.pth", "mnist", "none", "0.3", True),
    Published("advertorch_mnist_lenet5_clean.pt", "mnist", "none", "0.1", True),
    Published("abcrown_cifar10_resnet2b.pth", "cifar10", "cifar", "2/255", True),
    Published("akamaster_cifar10_resnet20.th", "cifar10", "imagenet", "8/255", False),
    Published("abs_mnist_binary_cnn.net", "mnist", "none", "0.1", False),
)
TRAINED = (
    Trained("mnist", "small-cnn", "pgd-at:eps=0.1,steps=5", 3, True, "0.15"),
    Trained("mnist", "small-cnn", "pgd-at:eps=0.1,steps=5", 3, False, "0.15"),
    Trained("mnist", "small-cnn", "fgsm-at:eps=0.2", 4, True, "0.2"),
    Trained("fashion-mnist", "small-cnn", "pgd-at:eps=0.1,steps=7", 4, True, "0.1"),
    Trained("fashion-mnist", "small-cnn", "plain", 3, False, "0.1"),
    Trained("mnist", "lenet5", "plain", 3, True, "0.2"),
)


def published(args: argparse.Namespace, opened: dict[str, Data]) -> Iterator[Case]:
    for file, data, truth, eps, foldable in PUBLISHED:
        if args.only in file and (args.checkpoints / file).is_file():
            state = load_state(args.checkpoints / file)
            case = Case(Path(file).stem, data, state, truth, eps)
            yield case
            if foldable:
                yield other_form(case, opened[data])


def trained(args: argparse.Namespace, opened: dict[str, Data]) -> Iterator[Case]:
    for data, model, method, epochs, normalise, eps in TRAINED:
        name = f"{data} {model} {method}{'' if normalise else ' plain pixels'}"
        if args.only not in name:
            continue
        run = train(
            data=data,
            model=model,
            method=method,
            epochs=epochs,
            normalise=normalise,
            train_fraction=0.2,
            seed=args.seed,
            runs_dir=args.runs_dir,
            data_dir=args.data_dir,
        )
        weights = load_file(run.weights)
        state = {k.removeprefix("network."): v for k, v in weights.items() if "normalise" not in k}
        case = Case(name, data, state, "data" if normalise else "none", eps)
        yield case
        yield other_form(case, opened[data])


def other_form(case: Case, data: Data) -> Case:
    """The normalisation folded into the first layer; or, where there is none, the data's taken out.

    The border of a padded convolution sees other values than before: a slightly different network,
    whose truth is known all the same.
    """
    way = "data" if case.truth == "none" else case.truth
    mean, std = (torch.tensor(each) for each in usual(data.mean, data.std)[way])
    first = next(name for name, value in case.state.items() if value.dim() > 1)
    weight, bias = case.state[first], case.state[first.replace("weight", "bias")]
    shape = (1, -1, 1, 1)
    if case.truth == "none":
        truth, note = "data", "taken out"
        new = weight * std.view(shape)
        bias = bias + (weight * mean.view(shape)).sum((1, 2, 3))
    else:
        truth, note = "none", "folded"
        new = weight / std.view(shape)
        bias = bias - (new * mean.view(shape)).sum((1, 2, 3))
    state = {**case.state, first: new, first.replace("weight", "bias"): bias}
    return case._replace(name=f"{case.name}, {note}", state=state, truth=truth)


def attacked(case: Case, data: Data, n: int) -> dict[str, tuple[float, float]]:
    """By normalisation: accuracy on test images, clean and attacked; the latter where it is close.

    The truth comes first.
    """
    known = fitting(case.state, data.test.shape, len(data.classes), shown=False)  # no chains
    (architecture,) = known
    model = make(architecture, data.test.shape, len(data.classes))
    fit(model, case.state)
    model.eval()
    some, ways = data.test[:n], usual(data.mean, data.std)
    found: dict[str, tuple[float, float]] = {}
    for name in sorted(ways, key=lambda name: name != case.truth):
        model.normalise = Normalise(*ways[name])
        with torch.no_grad():
            answers = torch.cat([model(x).argmax(1) for x in some.x.split(250)])
        clean = float((answers == some.labels).float().mean())
        if not found or clean > found[case.truth][0] - CLOSE:
            left = withstand(model, some, ATTACK, [Eps.parse(case.eps)])[0]
        else:
            left = float("nan")
        found[name] = clean, left
    return found


def verdict(case: Case, data: Data, n: int, folder: Path) -> str:
    """What adopting the file says: the normalisation, or ``?``."""
    path = folder / f"{case.name.replace(' ', '-').replace(':', '-')}.pt"
    torch.save(case.state, path)
    asked = make_attack_config(ATTACK, case.data, (Eps.parse(case.eps),), samples=n)
    try:
        return str(adopt(path, folder / "runs", data, attacks=[asked]).config["normalise"])
    except RobustmixError as e:
        print(f"  {e}", file=sys.stderr)
        return "?"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--only", default="", help="a part of the names of networks")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the networks trained here")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    torch.manual_seed(0)
    sets = {case.data for case in (*PUBLISHED, *TRAINED)}
    opened = {name: open_data(build(Dataset, name), args.data_dir) for name in sets}
    wrong = needless = asked = count = 0
    start = time.process_time()
    print("| network | ε | truth | said | clean, attacked: truth | others | |\n|" + "---|" * 7)
    with tempfile.TemporaryDirectory() as folder:
        for case in chain(published(args, opened), trained(args, opened)):
            data = opened[case.data]
            said = verdict(case, data, args.samples, Path(folder))
            found = attacked(case, data, args.samples)
            clean, left = found[case.truth]
            width, also = half_width(left, args.samples), half_width(clean, args.samples)
            close = {k: v for k, v in found.items() if v[1] == v[1]}  # those that were attacked
            others = [
                k for k, (c, a) in close.items() if abs(a - left) > width or abs(c - clean) > also
            ]
            judged = "ok"
            if said == "?":
                asked += 1
                judged = "asked" if others else "NEEDLESS"
            elif said != case.truth and not abs(found[said][1] - left) <= width:
                judged = "WRONG"
            wrong, needless = wrong + (judged == "WRONG"), needless + (judged == "NEEDLESS")
            count += 1
            rivals = ", ".join(
                f"{k} {a:.1%} {'' if b != b else format(b, '.1%')}".strip()
                for k, (a, b) in found.items()
                if k != case.truth
            )
            print(
                f"| {case.name} | {case.eps} | {case.truth} | {said} | {clean:.1%} {left:.1%} | "
                f"{rivals} | {judged} |",
                flush=True,
            )
    seconds = time.process_time() - start
    print(
        f"\n{count} networks: {wrong} guesses wrong, {asked} questions, {needless} of them "
        f"needless; {seconds:.0f} s of CPU"
    )


if __name__ == "__main__":
    main()
