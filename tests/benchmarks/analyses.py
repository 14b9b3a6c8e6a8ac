"""What analyses cost beside the forwards that they cannot do without.

    python tests/benchmarks/analyses.py [--model lenet5] [--images 16] [--points 101] [--repeat 3]

Church windows: the analysis, and nothing but as many forwards of the same network on images of the
same shape in batches of the same size. Subspaces: pieces of eight images at once, and one image at
a time. Networks are random and images noise, labelled as the network
answers; neither matters for the time. Seconds are of one CPU's time (the least of `--repeat`),
so that other work on the machine disturbs them less. Nothing of this is part of the test suite.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import inf
from unittest.mock import patch

import torch

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.church_window import ChurchWindow
from robustbench_cli.analysis.analyses.subspace_dimension import SubspaceDimension
from robustbench_cli.data.dataset import Images
from robustbench_cli.evaluation.network import logits
from robustbench_cli.evaluation.throughput.batches import Batches
from robustbench_cli.models.model import Architecture, Model, make
from robustbench_cli.spec import build

SHAPE = (1, 28, 28)


def timed(repeat: int, *works: Callable[[], object]) -> list[float]:
    """The least CPU seconds of each, of a few calls in turn."""
    found = [inf] * len(works)
    for _ in range(repeat):
        for i, work in enumerate(works):
            start = time.process_time()
            work()
            found[i] = min(found[i], time.process_time() - start)
    return found


def church_windows(model: Model, test: Images, images: int, points: int, repeat: int) -> None:
    asked = ChurchWindow(images=images, points=points, eps=0.3)
    n, batches = points**2, Batches(None, SHAPE, torch.device("cpu"))
    x = torch.rand(n, *SHAPE)

    def forwards() -> None:
        for _ in range(images):
            batches.map(n, lambda part: logits(model, x[part]))

    logits(model, x[: batches.size])  # the first call is slower
    whole, bare = timed(repeat, lambda: analyse_model(model, test, asked), forwards)
    what = f"church-window, {images} images at {points}x{points}"
    ratio = whole / bare
    print(f"{what}: {whole:.2f} s, forwards alone {bare:.2f} s, ratio {ratio:.2f}", flush=True)


def subspaces(model: Model, test: Images, images: int, repeat: int) -> None:
    asked = SubspaceDimension(images=images, eps=2.0, most=32, random=0)

    def look(piece: int) -> None:
        with patch.object(SubspaceDimension, "piece", piece):
            analyse_model(model, test, asked)

    together, alone = timed(repeat, lambda: look(SubspaceDimension.piece), lambda: look(1))
    what = f"subspace-dimension, {images} images, up to 32 directions"
    print(
        f"{what}: {together:.2f} s with {SubspaceDimension.piece} images at once, {alone:.2f} s "
        f"one by one, {alone / together:.2f} times as long"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lenet5")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--points", type=int, default=101)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = make(build(Architecture, args.model), SHAPE, 10).eval()
    x = torch.rand(args.images, *SHAPE)
    test = Images(x, logits(model, x).argmax(1))
    church_windows(model, test, args.images, args.points, args.repeat)
    subspaces(model, test, args.images, args.repeat)


if __name__ == "__main__":
    main()
