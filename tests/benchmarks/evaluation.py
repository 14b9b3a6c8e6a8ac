"""How much faster an evaluation is than the plain Foolbox call; prints a table of ratios.

    python tests/benchmarks/evaluation.py --data-dir DATA [--weights FAST.pth] [--only linf-pgd]

Both sides run in one process on one thread: the same network, images and parameters, warmed up, in
turns. The time is that of the processor, so that other work on the machine counts for little.
"plain" is the one call ``attack(model, x, y, epsilons=[...])`` for all images, with a network as it
comes: eval mode, parameters that want gradients. ``--plain-batch 167`` gives it the images in
batches of as many as ours, which suit the processor's cache better. The ratio is the median over
the turns, with the lowest and the highest; "differ" counts verdicts (sample and epsilon) that are
not those of plain, "run to run" those in which two plain runs with other seeds differ.

Both sides of a Boundary row take the same steps. In the first ours starts at the nearest image of
another class, its default; in the second both start at noise, Foolbox's default, for which it tries
up to 1,000 images and ours 25. The distances are those of the images as found, not clipped to a
ball, of the samples that are classified correctly as they are; plain has one number per turn.

APGD, Square, the worst case and EOT, which Foolbox does not have, are held against themselves:
"plain" attacks every image at each epsilon anew. "passes" is how many times as many forwards and
backwards that takes.

What bounds a ratio. In ascending order a sample takes every step at every epsilon that it
withstands, so passes fall by no more than 1 / (share of verdicts that are withstood): on a robust
network hardly at all, and the rest is what a step costs. Where epsilons are inferred, a sample
still takes every step once or twice, at the largest epsilon that it withstands; and the audit
attacks ten samples at every epsilon, that is 10 / n of the plain passes, which is half of all on
167 samples. APGD and Square leave a sample with its first adversarial, so that epsilons which
break cost little in the plain loop, too: where nearly all samples break at once, passes fall by a
third. Samples at different epsilons share batches there, and those that withstand for long wait for
each other; what keeps seconds behind passes is that of 100 samples few are left for the last
epsilons, and that a pass in a batch of ten costs twice what it does in one of a hundred. The worst
case goes in rounds, an epsilon at a time: two thirds of its passes are spent on a sample and an
epsilon that it withstands, and a single sample that nearly broke keeps a round going for thousands
of calls, whose number is what a robust network costs. EOT around PGD has no early end, so that only
the number of epsilons asked about counts, four or five of ten.

``--weights`` names fast_adversarial_mnist_fgsm.pth of locuslab/fast_adversarial. The other networks
are trained here and kept in ``--runs-dir``; ``preact`` for an epoch on half of CIFAR-10
where the data are there, on coloured noise otherwise. ``--against torchattacks`` or ``art`` sets
ours beside those, too. Nothing of this is part of the test suite.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

warnings.simplefilter("ignore")
import foolbox as fb  # noqa: E402
import libraries  # noqa: E402

from robustbench_cli import api  # noqa: E402
from robustbench_cli.data.dataset import Dataset, Images  # noqa: E402
from robustbench_cli.epsilon import Eps, eps_range  # noqa: E402
from robustbench_cli.evaluation.evaluate import evaluate_model  # noqa: E402
from robustbench_cli.runs.evaluation import Evaluation  # noqa: E402
from robustbench_cli.spec import build  # noqa: E402
from robustbench_cli.training.deploy import load_predictor  # noqa: E402


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    network: str
    attack: str
    eps: str
    samples: int
    target: float
    plain: Callable[[], Any] | None  # Foolbox's; None: the same attack at each epsilon anew
    schedule: str = "ascending"
    steps: int = 0  # of FGSM and PGD, which other libraries have, too


def rows() -> list[Row]:
    pgd40 = lambda: fb.attacks.LinfPGD(rel_stepsize=2.5 / 40, steps=40)  # noqa: E731
    pgd20 = lambda: fb.attacks.LinfPGD(rel_stepsize=2.5 / 20, steps=20)  # noqa: E731
    walk = lambda: fb.attacks.BoundaryAttack(  # noqa: E731
        steps=500, spherical_step=0.1, source_step=0.05, update_stats_every_k=2
    )
    noisy = "l2-boundary:steps=500,start=noise"
    wide, narrow, cifar = "0:0.5:0.025", "0:0.3:0.015", "0:16/255:1/255"
    apgd, square = "linf-apgd-ce:steps=50", "linf-square:queries=1000"
    mean = "eot:attack=linf-pgd:steps=20,draws=4"
    return [
        Row("FGSM", "standard", "linf-fgsm", wide, 1000, 5, fb.attacks.FGSM, steps=1),
        Row("PGD-40", "standard", "linf-pgd", wide, 500, 10, pgd40, steps=40),
        Row("PGD-40", "standard", "linf-pgd", wide, 500, 10, pgd40, "auto", 40),
        Row("PGD-40", "robust", "linf-pgd", narrow, 167, 1.3, pgd40, steps=40),
        Row("PGD-40", "robust", "linf-pgd", narrow, 167, 8, pgd40, "auto", 40),
        Row("PGD-20", "preact", "linf-pgd:steps=20", cifar, 32, 6, pgd20, steps=20),
        Row("Boundary-500", "standard", "l2-boundary:steps=500", "0:4:0.5", 167, 2, walk),
        Row("Boundary-500", "standard", noisy, "0:4:0.5", 167, 2, walk),
        Row("APGD-50", "standard", apgd, "0:0.5:0.05", 100, 0, None, "auto"),
        Row("APGD-50", "robust", apgd, "0:0.3:0.03", 100, 0, None, "auto"),
        Row("Square-1000", "standard", square, "0:0.5:0.05", 100, 0, None, "auto"),
        Row("Square-1000", "robust", square, "0:0.3:0.03", 100, 0, None, "auto"),
        Row("Worst case", "standard", "worst-case", "0:0.5:0.05", 100, 0, None, "auto"),
        Row("Worst case", "robust", "worst-case", "0:0.3:0.03", 100, 0, None, "auto"),
        Row("EOT-4", "standard", mean, "0:0.5:0.05", 100, 0, None, "auto"),
        Row("EOT-4", "robust", mean, "0:0.3:0.03", 100, 0, None, "auto"),
    ]


class Lab:
    """Networks and images, made when they are first asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._made: dict[str, tuple[nn.Module, Images]] = {}

    def get(self, name: str) -> tuple[nn.Module, Images] | None:
        if name not in self._made:
            found = self._make(name)
            if found is None:
                return None
            self._made[name] = found
        return self._made[name]

    def _make(self, name: str) -> tuple[nn.Module, Images] | None:
        options = self._options
        if name == "robust":
            return None if options.weights is None else (_robust(options.weights), self._images())
        places = {"runs_dir": options.runs_dir, "data_dir": options.data_dir}
        if name == "standard":
            run = api.train(data="mnist", model="lenet5", epochs=options.epochs, **places)
            return load_predictor(run, torch.device("cpu"), "deployed"), self._images()
        root = Path(options.data_dir).expanduser()
        if not (root / "cifar-10-batches-py").is_dir():
            return _preact()
        settings = {"model": "preact-resnet18", "epochs": 1, "train_fraction": 0.5}
        run = api.train(data="cifar10", **settings, **places)
        network = load_predictor(run, torch.device("cpu"), "deployed")
        return network, build(Dataset, "cifar10").load(root)[1]

    def _images(self) -> Images:
        root = Path(self._options.data_dir).expanduser()
        return build(Dataset, "mnist").load(root)[1]


def _robust(path: Path) -> nn.Module:
    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10)),
    )
    state = torch.load(path, weights_only=True, map_location="cpu")
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    return network


def _preact() -> tuple[nn.Module, Images]:
    """Trained for a minute on coloured noise with a bright bar: CIFAR's shape, without CIFAR."""
    from robustbench_cli.models.model import Architecture, make

    torch.manual_seed(0)
    network = make(build(Architecture, "preact-resnet18"), (3, 32, 32), 10)
    labels = torch.arange(480) % 10
    x = 0.5 + 0.1 * torch.randn(480, 3, 32, 32)
    for i, label in enumerate(labels.tolist()):
        x[i, label % 3, 3 * label : 3 * label + 3] += 0.06
    x = (x.clamp(0, 1) * 255).round() / 255
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    network.train()
    for part in torch.arange(416).repeat(3).split(32):
        loss = nn.functional.cross_entropy(network(x[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    pixels = (x[416:] * 255).round().to(torch.uint8)
    return network, Images(pixels, labels[416:])


def plainly(
    tool: Any, network: nn.Module, images: Images, grid: Sequence[Eps], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Foolbox's own call, for one batch of `size` images after another."""
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    floats = [float(e) for e in grid]
    found = [libraries.foolbox_distances(tool, network, part, floats) for part in parts]
    broken, far = zip(*found, strict=True)
    return np.concatenate(broken, 1), np.concatenate(far)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def measure(row: Row, lab: Lab, turns: int, batch: int | None) -> str:
    made = lab.get(row.network)
    if made is None:
        return f"{row.work} on {row.network}: left out, no weights; type --weights FILE"
    network, images = made[0].eval(), made[1][: row.samples]
    network.requires_grad_(True)
    grid = eps_range(row.eps)
    size = batch or len(images)

    def ours() -> Any:
        return evaluate_model(
            network, images, row.attack, grid, schedule=row.schedule, num_threads=1
        )

    anew: list[float] = []  # passes

    def plain(seed: int) -> tuple[np.ndarray, np.ndarray]:
        if row.plain is None:
            whole = evaluate_model(
                *(network, images, row.attack, grid),
                schedule="independent",
                seed=seed + 1,
                num_threads=1,
            )
            anew.append(passes(whole))
            return ~whole.correct().to_numpy().T, np.empty(0)
        torch.manual_seed(seed)
        return plainly(row.plain(), network, images, grid, size)

    evaluate_model(network, images[:8], row.attack, grid[:3])
    if row.plain is not None:
        plainly(row.plain(), network, images[:8], grid[:2], 8)
    ratios, verdicts, distances = [], [], []
    for turn in range(turns):
        slow, (hit, far) = timed(lambda turn=turn: plain(turn))
        fast, found = timed(ours)
        ratios.append(slow / fast)
        verdicts.append(hit)
        distances.append(far)
    mine = ~found.correct().to_numpy().T
    differ = int((mine != verdicts[0]).sum())
    weaker = int((verdicts[0] & ~mine).sum())
    again = int((verdicts[0] != verdicts[-1]).sum()) if turns > 1 else 0
    if row.work.startswith("Boundary"):
        rows = found.samples[found.samples["eps"] == grid[-1].text]
        right = (rows["clean"] == rows["label"]).to_numpy()
        nearer = rows["distance"][right].median()
        plainer = [f"{np.median(far[right]):.3f}" for far in distances]
        start = "noise" if "start=noise" in row.attack else "nearest image"
        note = f"start {start}: median distance {nearer:.3f}; plain {', '.join(plainer)}"
    else:
        note = f"{differ} of {mine.size} differ ({weaker} weaker), run to run {again}"
    if anew:
        note = f"passes {statistics.mean(anew) / passes(found):.2f}; {note}"
    if "audit" in found.record:
        audit = found.record["audit"]
        note += f"; audit {audit['disagreements']} of {audit['verdicts']} disagree"
    cost = found.record["cost"]
    middle = statistics.median(ratios)
    return (
        f"{row.work:13} {row.network:9} {row.schedule:10} {row.samples:5} "
        f"{middle:6.2f} ({min(ratios):.2f} - {max(ratios):.2f}) {row.target:6} "
        f"{cost['forwards']:8.1f} {cost['backwards']:8.1f}  {note}"
    )


def passes(found: Evaluation) -> float:
    """Forwards and backwards per image."""
    return float(found.record["cost"]["forwards"] + found.record["cost"]["backwards"])


def against(row: Row, lab: Lab, name: str, turns: int) -> str:
    """The same row beside another library; its one-epsilon calls, all images in each."""
    made = lab.get(row.network)
    if made is None or not row.steps:
        return ""
    network, images = made[0].eval(), made[1][: row.samples]
    grid = eps_range(row.eps)
    floats, ratios = [float(e) for e in grid], []
    for turn in range(turns):
        torch.manual_seed(turn)
        network.requires_grad_(True)
        slow, theirs = timed(lambda: libraries.OTHERS[name](row.steps, network, images, floats))
        fast, found = timed(
            lambda: evaluate_model(
                network, images, row.attack, grid, schedule=row.schedule, num_threads=1
            )
        )
        ratios.append(slow / fast)
    mine = ~found.correct().to_numpy().T
    differ, weaker = int((mine != theirs).sum()), int((theirs & ~mine).sum())
    return (
        f"{row.work:13} {row.network:9} {row.schedule:10} {row.samples:5} "
        f"{statistics.median(ratios):6.2f} ({min(ratios):.2f} - {max(ratios):.2f}) "
        f"against {name}: {differ} of {mine.size} differ ({weaker} weaker)"
    )


def peak(row: Row, lab: Lab, batch: int | None) -> str:
    """Peak resident memory above the start, of each side in a process of its own (Unix)."""
    import os

    made = lab.get(row.network)
    if made is None:
        return ""
    network, images = made[0].eval(), made[1][: row.samples]
    grid = eps_range(row.eps)
    found = []
    for work in (
        lambda: plainly(row.plain(), network, images, grid, batch or len(images)),
        lambda: evaluate_model(network, images, row.attack, grid, num_threads=1, audit=0),
    ):
        out, into = os.pipe()
        if os.fork() == 0:
            torch.set_num_threads(1)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            work()
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(into, str(after - before).encode())
            os._exit(0)
        os.wait()
        found.append(int(os.read(out, 99)) / 1024)
    return (
        f"peak memory, {row.work} on {row.network}: plain {found[0]:.0f} MiB, ours {found[1]:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-dir", default="~/.cache/robustmix")
    parser.add_argument("--runs-dir", default="runs/benchmarks")
    parser.add_argument("--weights", type=Path, help="fast_adversarial_mnist_fgsm.pth")
    parser.add_argument("--epochs", type=int, default=3, help="for the standard network")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--samples", type=int, help="instead of each row's own number")
    parser.add_argument("--plain-batch", type=int, help="images per plain call; all in one")
    parser.add_argument(
        "--against", action="append", default=[], choices=libraries.OTHERS, help="another library"
    )
    parser.add_argument("--only", default="", help="rows whose text contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lab = Lab(options)
    print(
        f"{'work':13} {'network':9} {'schedule':10} {'n':>5} {'ratio (spread)':22} "
        f"{'target':>6} {'forwards':>8} {'backw.':>8}  verdicts"
    )
    for row in rows():
        if options.only in f"{row.work} {row.network} {row.attack} {row.schedule}":
            if options.samples:
                row = Row(**{**vars(row), "samples": options.samples})
            print(measure(row, lab, options.turns, options.plain_batch), flush=True)
            for name in options.against:
                if text := against(row, lab, name, options.turns):
                    print(text, flush=True)
            if row.schedule == "ascending" and row.work.startswith("PGD"):
                print(peak(row, lab, options.plain_batch), flush=True)


if __name__ == "__main__":
    main()
