"""One part of `run.py`: measures, and appends rows of JSON to a file.

Attacks run on networks that nothing breaks: random weights, labelled as they classify, at an
epsilon near 0. Every image takes every step, on each side; on networks that break, ours leave
early and Foolbox's and torchattacks' do not. Seconds are those of the clock, after a warm-up, the
device waited for. "of peak" counts the operations of convolutions and matrix products (two for
each multiplication) and sets them beside the largest product of matrices of that precision that
this machine was seen to compute.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from robustbench_cli.data.dataset import Data, Images  # noqa: E402
from robustbench_cli.data.datasets.cifar10 import Cifar10  # noqa: E402
from robustbench_cli.epsilon import grid  # noqa: E402
from robustbench_cli.evaluation.evaluate import evaluate_model  # noqa: E402
from robustbench_cli.evaluation.throughput.fast_path import Crafting  # noqa: E402
from robustbench_cli.models.model import Architecture, make  # noqa: E402
from robustbench_cli.runs.provenance import provenance  # noqa: E402
from robustbench_cli.spec import build  # noqa: E402
from robustbench_cli.training.config import TrainConfig  # noqa: E402
from robustbench_cli.training.train import Trainer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EPS = 1e-7  # breaks nothing
NETWORKS = {"preact": "preact-resnet18", "wide": "wide-resnet:depth=28,width=10"}
TINY = {"preact": "cifar-resnet:depth=8", "wide": "wide-resnet:depth=10,width=1"}
IMAGES = {"preact": 2048, "wide": 512}
EPOCH = 50_000  # images
PEAKS = "peaks.json"  # beside the rows, for the parts that follow


@dataclass
class Bench:
    """Where rows go, and how large things are."""

    rows: Path
    device: torch.device
    tiny: bool

    def write(self, **row: Any) -> None:
        with self.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps({k: _short(v) for k, v in row.items()}) + "\n")

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any]) -> float:
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def network(self, name: str) -> nn.Module:
        torch.manual_seed(0)
        spec = (TINY if self.tiny else NETWORKS)[name]
        network = make(build(Architecture, spec), (3, 32, 32), 10)
        return network.to(self.device).eval()

    def images(self, count: int, network: nn.Module) -> Images:
        torch.manual_seed(1)
        pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, device=self.device)
        with torch.no_grad():
            labels = torch.cat([network(part / 255).argmax(1) for part in pixels.split(256)])
        return Images(pixels, labels)

    @property
    def peaks(self) -> dict[str, float]:
        path = self.rows.with_name(PEAKS)
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

    def share(self, operations: float, seconds: float, precision: str) -> str:
        peak = self.peaks.get(precision)
        return f"{100 * operations / seconds / peak:.0f} %" if peak else ""


def machine(bench: Bench) -> None:
    size, facts = (256 if bench.tiny else 8192), provenance()["versions"]
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else "cpu"
    bench.write(fact="device", value=name)
    bench.write(fact="versions", value=", ".join(f"{k} {v}" for k, v in facts.items()))
    peaks = {}
    for precision, kind, short in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bfloat16", torch.bfloat16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = short
        a, b = (torch.randn(size, size, device=bench.device, dtype=kind) for _ in range(2))
        for _ in range(3):
            a @ b
        took = bench.seconds(lambda a=a, b=b: [a @ b for _ in range(10)]) / 10
        peaks[precision] = 2 * size**3 / took
        bench.write(
            fact=f"{precision} matrix product", value=f"{peaks[precision] / 1e12:.1f} TFLOP/s"
        )
    bench.rows.with_name(PEAKS).write_text(json.dumps(peaks), "utf-8")
    big = torch.empty(2**20 if bench.tiny else 2**30, device=bench.device)
    other = torch.empty_like(big)
    other.copy_(big)
    took = bench.seconds(lambda: [other.copy_(big) for _ in range(5)]) / 5
    bench.write(fact="copy", value=f"{2 * 4 * len(big) / took / 1e12:.2f} TB/s")


def tests(bench: Bench) -> None:
    """`pytest tests/gpu`; each test that failed, and how many passed."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-rfEs", "--color=no", "tests/gpu"]
    command += ["-p", "no:cacheprovider", "--on", bench.device.type]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    for line in lines:
        if line.startswith(("FAILED", "ERROR", "SKIPPED")):
            bench.write(test=line[:300])
    bench.write(test=(lines or ["nothing"])[-1][:300])
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:])
        sys.exit("tests failed")


# --- attacks ---


def pgd(bench: Bench, name: str, *, compiled: bool = False) -> None:
    network, steps = bench.network(name), 2 if bench.tiny else 20
    images = bench.images(6 if bench.tiny else IMAGES[name], network)
    operations = steps * len(images) * _operations(network, images)

    def row(who: str, how: str, seconds: float, right: float, **more: Any) -> None:
        bench.write(
            network=name,
            by=who,
            computes=how,
            images=len(images),
            images_per_s=len(images) / seconds,
            of_peak=bench.share(operations, seconds, how.split()[0]),
            withstood=right,
            **more,
        )

    for how, crafting in _craftings(compiled).items():
        ours = partial(_ours, network, steps=steps, crafting=crafting)
        ours(images[: len(images) // 2])  # warm: also what is compiled
        torch.cuda.reset_peak_memory_stats() if bench.device.type == "cuda" else None
        found: list[float] = []
        whole = bench.seconds(lambda ours=ours, found=found: found.append(ours(images)))
        memory = torch.cuda.max_memory_allocated() / 2**30 if bench.device.type == "cuda" else 0
        if compiled:  # each evaluation traces its own copy; what is left is the speed of the steps
            half = bench.seconds(lambda ours=ours: ours(images[: len(images) // 2]))
            row("robustmix", how, max(2 * (whole - half), 1e-9), found[0], fixed_s=2 * half - whole)
        else:
            row("robustmix", how, whole, found[0], gib=memory)
    if compiled:
        return
    for who, attack in _others(network, steps).items():
        size = 6 if bench.tiny else 512
        parts = [images[start : start + size] for start in range(0, len(images), size)]
        attack(parts[0])
        made: list[Tensor] = []
        took = bench.seconds(
            lambda attack=attack, made=made, parts=parts: made.extend(map(attack, parts))
        )
        with torch.no_grad():
            pairs = zip(parts, made, strict=True)
            right = sum(int((network(x).argmax(1) == part.labels).sum()) for part, x in pairs)
        row(who, "float32", took, right / len(images))


def _craftings(compiled: bool) -> dict[str, Crafting]:
    if compiled:
        return {
            "bfloat16 compiled": Crafting(compile=True, precision="bfloat16"),
            "float32 compiled": Crafting(compile=True),
        }
    return {"float32": Crafting(), "bfloat16": Crafting(precision="bfloat16")}


def _ours(network: nn.Module, images: Images, steps: int, crafting: Crafting) -> float:
    attack = f"linf-pgd:steps={steps}"
    found = evaluate_model(
        network, images, attack, grid([str(EPS)]), audit=0, crafting=crafting, num_threads=1
    )
    return float(found.accuracy()["accuracy"].iloc[0])


def _others(network: nn.Module, steps: int) -> dict[str, Callable[[Images], Tensor]]:
    """Foolbox's own call, and torchattacks' where it is installed."""
    import foolbox

    def plain(part: Images) -> Tensor:
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device=part.pixels.device)
        tool = foolbox.attacks.LinfPGD(rel_stepsize=2.5 / steps, steps=steps)
        found: Tensor = tool(model, part.x, part.labels, epsilons=[EPS])[1][0]
        return found

    found: dict[str, Callable[[Images], Tensor]] = {"foolbox": plain}
    if importlib.util.find_spec("torchattacks"):
        import torchattacks

        attack = torchattacks.PGD(network, eps=EPS, alpha=2.5 * EPS / steps, steps=steps)
        found["torchattacks"] = lambda part: attack(part.x, part.labels)
    return found


def worst_case(bench: Bench) -> None:
    network = bench.network("preact")
    images = bench.images(4 if bench.tiny else 256, network)
    budget = "steps=2,queries=5" if bench.tiny else "steps=10,queries=500"
    attack = f"worst-case:{budget}"
    work = partial(evaluate_model, network, images, attack, grid([str(EPS)]), audit=0)
    evaluate_model(network, images[:4], attack.replace("500", "10"), grid([str(EPS)]), audit=0)
    made: list[Any] = []
    took = bench.seconds(lambda: made.append(work()))
    cost = made[0].record["cost"]
    bench.write(
        network="preact",
        attack=attack,
        images_per_s=len(images) / took,
        forwards=cost["forwards"],
        backwards=cost["backwards"],
        passes_per_s=len(images) * (cost["forwards"] + cost["backwards"]) / took,
    )


# --- training ---


def training(bench: Bench, name: str, *, compiled: bool = False) -> None:
    """PGD-10 adversarial training, augmentation included; the second of two short epochs."""
    batch = 8 if bench.tiny else 128
    count = batch * (2 if bench.tiny else {"preact": 60, "wide": 16}[name])
    spec = (TINY if bench.tiny else NETWORKS)[name]
    pgd10 = "pgd-at:steps=2" if bench.tiny else "pgd-at:steps=10"
    torch.manual_seed(2)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, device=bench.device)
    labels = torch.arange(count, device=bench.device) % 10
    images, none = Images(pixels, labels), Images(pixels[:0], labels[:0])
    classes = tuple(map(str, range(10)))
    data = Data(Cifar10(), images, none, images[:8], classes, (0.5,) * 3, (0.25,) * 3)
    kinds = ("bfloat16",) if compiled or bench.tiny else ("bfloat16", "float32")
    for precision in kinds:
        config = TrainConfig(
            data="cifar10",
            model=spec,
            method=pgd10,
            epochs=2,
            batch_size=batch,
            precision=precision,
            compile=compiled,
        ).resolve()
        with tempfile.TemporaryDirectory() as folder:
            history = Trainer(config, data, Path(folder) / "run").run().history()
        first, second = history["seconds"].tolist()
        network = bench.network(name)
        steps = 2 if bench.tiny else 10
        operations = count * (steps + 1.5) * _operations(network, images)
        bench.write(
            network=name,
            computes=f"{precision}{' compiled' if compiled else ''}",
            batch=batch,
            s_per_epoch_of_50000=second * EPOCH / count,
            images_per_s=count / second,
            of_peak=bench.share(operations, second, precision),
            measured_images=count,
            first_epoch_s=first,
        )
    if compiled:
        return
    network = bench.network(name)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    for who, attack in _others(network, 2 if bench.tiny else 10).items():

        def epoch(attack: Callable[[Images], Tensor] = attack) -> None:
            for start in range(0, count, batch):
                part = images[start : start + batch]
                network.eval()
                x = attack(part)
                network.train()
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x), part.labels).backward()
                optimizer.step()

        warm = images[:batch]
        attack(warm)
        took = bench.seconds(epoch)
        bench.write(
            network=name,
            computes=f"float32, {who} in a plain loop",
            batch=batch,
            s_per_epoch_of_50000=took * EPOCH / count,
            images_per_s=count / took,
            measured_images=count,
        )


def _operations(network: nn.Module, images: Images) -> float:
    """Of one forward and the backward pass to the pixels, per image."""
    from torch.utils.flop_counter import FlopCounterMode

    x = images.x[:2].clone().requires_grad_()
    wishes = [p.requires_grad for p in network.parameters()]
    network.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        network(x).sum().backward()
    for parameter, wish in zip(network.parameters(), wishes, strict=True):
        parameter.requires_grad_(wish)
    return float(counter.get_total_flops()) / len(x)


# --- many at once ---


def sweeps(bench: Bench) -> None:
    """Five LeNet-5 on digits, trained and swept: one after another, and side by side."""
    seeds, epochs = ("2", "1") if bench.tiny else ("5", "15")
    device = ["--device", bench.device.type]
    with tempfile.TemporaryDirectory() as folder:
        for jobs, share in (("1", "1"), (seeds, str(1 / int(seeds)))):
            runs = ["--runs-dir", f"{folder}/{jobs}"]
            common = [*device, "-j", jobs, "--gpus-per-job", share, "-q", *runs]
            train = ["train", "--seeds", seeds, "--epochs", epochs, *common]
            took = bench.seconds(partial(_command, *train))
            bench.write(work=f"train {seeds} seeds", side_by_side=jobs, seconds=took)
            paths = [str(path.parent) for path in sorted(Path(folder, jobs).glob("*/run.json"))]
            sweep = ["sweep-epsilon", *paths, "-a", "linf-pgd", "--eps-range", "0:0.3:0.05"]
            took = bench.seconds(partial(_command, *sweep, *common, "--checks", "off"))
            bench.write(work=f"sweep 7 epsilons x {seeds} runs", side_by_side=jobs, seconds=took)
        took, count = _plain_sweep(bench, [Path(path) for path in paths])
        work = f"sweep 7 epsilons x {count} runs, foolbox in one process"
        bench.write(work=work, side_by_side=1, seconds=took)


def _command(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "robustbench_cli", *words], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr.strip()[-500:])


def _plain_sweep(bench: Bench, paths: list[Path]) -> tuple[float, int]:
    import foolbox

    from robustbench_cli.data.dataset import Dataset
    from robustbench_cli.runs.run import Run
    from robustbench_cli.training.deploy import load_predictor

    test = build(Dataset, "digits").load(Path())[1].to(bench.device)
    epsilons = [0.05 * i for i in range(7)]

    def sweep() -> None:
        for path in paths:
            network = load_predictor(Run.open(path), bench.device)
            model = foolbox.PyTorchModel(network, bounds=(0, 1), device=bench.device)
            tool = foolbox.attacks.LinfPGD(rel_stepsize=2.5 / 40, steps=40)
            tool(model, test.x, test.labels, epsilons=epsilons)

    return bench.seconds(sweep), len(paths)


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


PARTS: dict[str, Callable[[Bench], None]] = {
    "machine": machine,
    "tests": tests,
    "pgd preact": partial(pgd, name="preact"),
    "pgd wide": partial(pgd, name="wide"),
    "train preact": partial(training, name="preact"),
    "train wide": partial(training, name="wide"),
    "sweeps": sweeps,
    "worst-case": worst_case,
}


def compiled(bench: Bench, name: str) -> None:
    training(bench, name, compiled=True)
    pgd(bench, name, compiled=True)


PARTS |= {f"compiled {name}": partial(compiled, name=name) for name in NETWORKS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("rows", type=Path)
    parser.add_argument("device")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.device == "cpu":
        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    PARTS[options.part](Bench(options.rows, torch.device(options.device), options.tiny))


if __name__ == "__main__":
    main()
