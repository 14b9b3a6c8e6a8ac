"""Our worst case beside AutoAttack's own code: verdicts, passes and processor seconds of both.

    python tests/benchmarks/worst_case.py --autoattack AUTO-ATTACK --data-dir DATA --weights FOLDER
    python tests/benchmarks/worst_case.py ... --run runs/mnist-small-cnn-pgd-at-s0@0.2 --only none
    python tests/benchmarks/worst_case.py ... --ours worst-case --ours worst-case:patience=none

``--autoattack`` is a checkout of github.com/fra31/auto-attack; without one, the installed package
``autoattack`` is used, and where there is none, the benchmark says so and stops. ``--weights`` is
a folder with the published files named below; those that it lacks are left out. ``--run DIR@EPS``
adds a run of your own. Several ``--ours`` show what each way of saving work brings, several
``--seed`` what the luck of ours is. ``--norm l2 --eps 1.5`` attacks all of them in that ball.

Both sides run in this process on one thread, on ``--samples`` test images from ``--first`` on,
AutoAttack's standard version in batches of its default 250. Forwards and backwards are per image of
all those asked for, seconds those of the processor in all (ours with the look at the unchanged
images). A sample counts as broken by AutoAttack if its image is in the ball and misclassified when
looked at again. "weaker" counts samples that AutoAttack breaks and ours does not, "stronger" those
that ours alone breaks. The last numbers are the share of AutoAttack's passes, forwards and
backwards, and of its seconds that ours takes. Nothing of this is part of the test suite.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

warnings.simplefilter("ignore")

from robustbench_cli.adopt import adopt  # noqa: E402
from robustbench_cli.data.dataset import Dataset, Images, open_data  # noqa: E402
from robustbench_cli.epsilon import Eps  # noqa: E402
from robustbench_cli.evaluation.evaluate import evaluate_model  # noqa: E402
from robustbench_cli.evaluation.verification.ball import Norm, distance  # noqa: E402
from robustbench_cli.runs.run import Run  # noqa: E402
from robustbench_cli.spec import build  # noqa: E402
from robustbench_cli.training.deploy import load_predictor  # noqa: E402

CPU = torch.device("cpu")
SLACK = 1e-4


@dataclass(frozen=True)
class Published:
    """Weights of somebody else's, and the ball in which they are attacked."""

    file: str
    data: str
    normalise: str
    eps: str
    key: str = ""  # of several sets of weights


_SDP = "0.485,0.456,0.406:0.225,0.225,0.225"
_BATCHWISE = "0.4914,0.4822,0.4465:0.2023,0.1994,0.2010"

PUBLISHED = (
    # locuslab/fast_adversarial: MNIST/models/fgsm.pth, MNIST/models/pgd_madry.pth
    Published("fast_adversarial_mnist_fgsm.pth", "mnist", "none", "0.3"),
    Published("fast_adversarial_pgd_madry.pth", "mnist", "none", "0.3"),
    # BorealisAI/advertorch: advertorch_examples/trained_models/mnist_lenet5_{cln,adv}trained.pt
    Published("advertorch_mnist_lenet5_clean.pt", "mnist", "none", "0.1"),
    Published("advertorch_mnist_lenet5_advtrained.pt", "mnist", "none", "0.3"),
    # bethgelab/AnalysisBySynthesis: exp/mnist_cnn/nets/binary_cnn.net
    Published("abs_mnist_binary_cnn.net", "mnist", "none", "0.1"),
    # Verified-Intelligence/alpha-beta-CROWN, complete_verifier/models: cifar10_resnet, sdp
    Published("abcrown_cifar10_resnet2b.pth", "cifar10", "cifar", "2/255"),
    Published("resnet4b.pth", "cifar10", "cifar", "1/255"),
    Published("mnist_cnn_a_adv.model", "mnist", "none", "0.3"),
    Published("cifar_cnn_a_adv.model", "cifar10", _SDP, "2/255"),
    Published("cifar_cnn_a_mix.model", "cifar10", _SDP, "2/255"),
    # and bab_attack, eran
    Published("MadryCNN_no_maxpool_tiny.pt", "mnist", "none", "0.3"),
    Published("cifar_conv_small_pgd.pth", "cifar10", _BATCHWISE, "2/255"),
    # locuslab/convex_adversarial: models/fashion_mnist.pth, models_scaled/mnist_small_0_3.pth
    Published("convex_fashion_mnist.pth", "fashion-mnist", "none", "0.1"),
    Published("convex_mnist_small_0_3.pth", "mnist", "none", "0.3", "state_dict.0"),
    # akamaster/pytorch_resnet_cifar10: pretrained_models/resnet20-12fca82f.th
    Published("akamaster_cifar10_resnet20.th", "cifar10", "imagenet", "0.5/255"),
)


class Counted(nn.Module):
    """A network that counts images forwards and backwards, for attacks that do not count."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.forwards = self.backwards = 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += len(x)
        logits: Tensor = self.network(x)
        if x.requires_grad and torch.is_grad_enabled():
            if not logits.requires_grad:  # a threshold: its gradient is zero
                logits = logits + 0 * x.flatten(1).sum(1, keepdim=True)
            logits.register_hook(self._count)  # type: ignore[no-untyped-call]
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


@dataclass
class Side:
    """What one attack, or one of its members, did."""

    name: str
    left: Tensor  # (n,), True where a sample stands
    forwards: float  # per image
    backwards: float
    seconds: float

    def line(self) -> str:
        return (
            f"  {self.name:34} {100 * self.left.double().mean():6.2f} % "
            f"{self.forwards:9.1f} {self.backwards:9.1f} {self.seconds:8.1f} s"
        )


def theirs(tool: Any, network: nn.Module, images: Images, eps: float, norm: Norm) -> Iterator[Side]:
    """AutoAttack, member by member; the last one is what all of them left."""
    counted, n = Counted(network).eval(), len(images)
    x, labels = images.x, images.labels
    with torch.no_grad():
        left = network(x).argmax(1) == labels
    for member in ("apgd-ce", "apgd-t", "fab-t", "square"):
        name = norm.capitalize()
        whole = tool(counted, norm=name, eps=eps, device="cpu", seed=0, verbose=False)
        whole.attacks_to_run = [member]
        forwards, backwards, start = counted.forwards, counted.backwards, time.process_time()
        places = left.nonzero()[:, 0]
        if len(places):
            with contextlib.redirect_stdout(io.StringIO()):
                found = whole.run_standard_evaluation(x[places], labels[places], bs=250)
            left = left.clone()
            left[places] = ~_broken(network, x[places], found, labels[places], eps, norm)
        yield Side(
            member,
            left,
            (counted.forwards - forwards) / n,
            (counted.backwards - backwards) / n,
            time.process_time() - start,
        )


def _broken(
    network: nn.Module, x: Tensor, found: Tensor, labels: Tensor, eps: float, norm: Norm
) -> Tensor:
    near = distance(x, found, norm) <= eps * (1 + SLACK)
    with torch.no_grad():
        return near & (network(found).argmax(1) != labels)


def ours(
    spec: str, network: nn.Module, images: Images, eps: Eps, seed: int
) -> tuple[Side, list[str]]:
    start = time.process_time()
    found = evaluate_model(network, images, spec, [eps], num_threads=1, seed=seed)
    seconds, cost, n = time.process_time() - start, found.record["cost"], len(images)
    left = torch.from_numpy(found.correct()[eps.text].to_numpy(copy=True))
    lines = [
        f"  - {m['member']:32} broke {m['broken']:4} of {m['tried']:4}"
        f" {m['forwards'] / n:9.1f} {m['backwards'] / n:9.1f} {m['seconds']:8.1f} s of wall clock"
        for m in found.record.get("members", [])
    ]
    return Side(f"{spec}, seed {seed}", left, cost["forwards"], cost["backwards"], seconds), lines


def compare(
    name: str,
    network: nn.Module,
    images: Images,
    eps: Eps,
    norm: Norm,
    tool: Any,
    specs: list[str],
    seeds: list[int],
) -> None:
    print(f"{name}, {norm} {eps}, {len(images)} images", flush=True)
    network.requires_grad_(False)
    parts = []
    for part in theirs(tool, network, images, float(eps), norm):
        parts.append(part)
        print(part.line(), flush=True)
    sums = [sum(getattr(p, key) for p in parts) for key in ("forwards", "backwards", "seconds")]
    whole = Side("AutoAttack, standard", parts[-1].left, *sums)
    print(whole.line(), flush=True)
    for spec, seed in product(specs, seeds):
        mine, lines = ours(spec, network, images, eps, seed)
        fewer = (whole.forwards + whole.backwards) / (mine.forwards + mine.backwards)
        weaker = int((mine.left & ~whole.left).sum())
        stronger = int((whole.left & ~mine.left).sum())
        print(
            f"{mine.line()}   {weaker} weaker, {stronger} stronger;"
            f" passes 1/{fewer:.1f}, seconds 1/{whole.seconds / mine.seconds:.1f}"
        )
        print("\n".join(lines), flush=True)


def networks(
    options: argparse.Namespace,
) -> Iterator[tuple[str, Eps, Callable[[], tuple[nn.Module, Images]]]]:
    """Name, epsilon, and how to get the network and its images."""
    for each in PUBLISHED:
        path = options.weights and options.weights / each.file
        if path and path.is_file() and options.only in each.file:
            yield each.file, Eps.parse(each.eps), lambda p=path, e=each: _adopted(options, p, e)
    for text in options.run:
        folder, _, eps = text.rpartition("@")
        yield folder, Eps.parse(eps), lambda f=folder: _own(options, Path(f))


def _adopted(options: argparse.Namespace, path: Path, each: Published) -> tuple[nn.Module, Images]:
    data = open_data(build(Dataset, each.data), options.data_dir)
    key = {"weights_key": each.key} if each.key else {}
    run = adopt(path, options.runs_dir, data, normalise=each.normalise, **key)
    return load_predictor(run, CPU, "deployed").eval(), data.test[
        options.first : options.first + options.samples
    ]


def _own(options: argparse.Namespace, folder: Path) -> tuple[nn.Module, Images]:
    run = Run.open(folder)
    data = open_data(build(Dataset, run.config["data"]), options.data_dir)
    return load_predictor(run, CPU, "deployed").eval(), data.test[
        options.first : options.first + options.samples
    ]


def autoattack(folder: Path | None) -> Any:
    """The class; None where it is not there."""
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("autoattack").AutoAttack
    except ImportError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--autoattack", type=Path, help="a checkout of fra31/auto-attack")
    parser.add_argument("--data-dir", type=Path, default=Path("~/.cache/robustmix").expanduser())
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--weights", type=Path, help="a folder of published weights")
    parser.add_argument("--only", default="", help="files whose names contain this")
    parser.add_argument("--run", action="append", default=[], help="DIR@EPS, a run of your own")
    parser.add_argument("--norm", choices=("linf", "l2", "l1"), default="linf")
    parser.add_argument("--eps", type=Eps.parse, help="instead of those of the files, in pixels")
    parser.add_argument("--ours", action="append", default=[], help="spec; worst-case")
    parser.add_argument("--seed", action="append", type=int, default=[], help="of ours; 0")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="of the test images")
    options = parser.parse_args()
    tool = autoattack(options.autoattack)
    if tool is None:
        print("left out: no AutoAttack; type --autoattack DIR, a checkout of fra31/auto-attack")
        return
    torch.set_num_threads(1)
    print(f"{'':36} {'robust':>8} {'forwards':>9} {'backw.':>9} {'CPU':>10}")
    for name, eps, get in networks(options):
        eps, norm = options.eps or eps, options.norm
        specs = options.ours or [f"worst-case:{norm}"]
        compare(name, *get(), eps, norm, tool, specs, options.seed or [0])


if __name__ == "__main__":
    main()
