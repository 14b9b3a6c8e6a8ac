"""What a training step of each method costs, as a ratio to plain training in the same run.

    python tests/benchmarks/methods.py                         every method on lenet5
    python tests/benchmarks/methods.py --model preact-resnet18 -m vib -m info-mixup --rounds 20

Beside each ratio stands the one that its forwards and backwards predict, a backward for two
forwards. Both are counted at the head of the network: samples that pass it, and gradients that come
back. A method's steps stand directly after some of plain training in every round, so that a machine
whose speed changes (others may use it) changes both; on a CPU the time is the process's own. The
ratio is the median of the rounds' own, and the spread their middle half.

AugMix counts 3 forwards and 3 backwards; what it takes beyond that are its image operations, six
chains for each image: on lenet5, whose own step is short, 0.8 of a plain step, over half of it to
take pixels from where rotations, shears and translations send them (``image_ops.warp``).
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.models.first_convolution import quicken_first_convolutions
from robustbench_cli.models.model import Model, make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.spec import build, build_all, names
from robustbench_cli.training.batch import Batch
from robustbench_cli.training.method import Method, overrides
from robustbench_cli.training.objective import Objective

USUAL = {"lenet5": ("mnist", (1, 28, 28)), "": ("cifar10", (3, 32, 32))}
TARGETS = {
    **dict.fromkeys(("mixup", "manifold-mixup", "cutmix", "als", "label-smoothing"), 1.05),
    **{"batchout": 1.05, "vib": 1.10, "info-mixup": 1.15, "large-margin": 2.2, "sat": 1.15},
    **{"augmix": 3.6, "puzzlemix": 3.5},
}
COUNTED = 1.1  # other methods: so many times what is counted


@dataclass
class Count:
    """Samples that pass, in units of one batch. A forward is 1."""

    forwards: float = 0.0
    backwards: float = 0.0

    @property
    def cost(self) -> float:
        return self.forwards + 2 * self.backwards

    @property
    def words(self) -> str:
        return f"{self.forwards:g}F {self.backwards:g}B"


def count(model: Model, size: int, step: Callable[[], None]) -> Count:
    """What one step makes the network compute."""
    found = Count()

    def passed(_: object, args: tuple[Tensor, ...], output: Tensor) -> None:
        share = len(output) / size
        found.forwards += share
        if output.requires_grad:
            output.register_hook(lambda _: back(share))

    def back(share: float) -> None:
        found.backwards += share

    handle = model.head.register_forward_hook(passed)
    try:
        step()
    finally:
        handle.remove()
    return found


@dataclass
class Runner:
    """One method's training, ready to step."""

    text: str
    model: Model
    objective: Objective
    optimizer: torch.optim.Optimizer
    batch: Batch
    ratios: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def start(cls, text: str, model: str, size: int, device: torch.device) -> Runner:
        data, shape = USUAL.get(model, USUAL[""])
        devices.seed_everything(0)
        methods = build_all(Method, text)
        for method in methods:
            method.adapt(build(Dataset, data))
        network = make(open_architecture(model), shape, 10).to(device)
        objective = Objective(network, methods)
        network.to(device).train()
        quicken_first_convolutions(network)  # as the trainer does
        batch = Batch.of(torch.rand(size, *shape), torch.arange(size) % 10, 10)
        batch = Batch(batch.x.to(device), batch.y.to(device))
        optimizer = torch.optim.Adam(network.parameters(), 1e-4)
        return cls(text, network, objective, optimizer, batch)

    def step(self) -> None:
        loss = self.objective(self.batch).loss
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def end_epoch(self) -> None:
        for method in self.objective.methods:
            method.end_epoch(self.model)

    def time(self, repeats: int) -> float:
        """The mean time of a step, after a first one: warm, and the caches are this method's."""
        self.step()
        on_gpu = self.batch.x.is_cuda
        clock = time.perf_counter if on_gpu else time.process_time
        wait = torch.cuda.synchronize if on_gpu else lambda: None
        wait()
        started = clock()
        for _ in range(repeats):
            self.step()
        wait()
        self.seconds.append((clock() - started) / repeats)
        return self.seconds[-1]


def measure(
    methods: Sequence[str], model: str, size: int, rounds: int, repeats: int
) -> dict[str, Runner | str]:
    """Runners with their times, or why there is none, by method; `plain` is among them."""
    device = devices.choose("auto")
    started: dict[str, Runner | str] = {}
    for text in dict.fromkeys(["plain", *methods]):
        try:
            runner = started[text] = Runner.start(text, model, size, device)
            runner.step()  # statistics of an epoch, so that what waits for them works, too
            runner.end_epoch()
            runner.step()
        except UsageError as e:
            started[text] = str(e)
    ready = [each for each in started.values() if isinstance(each, Runner)]
    plain = ready[0]
    for _ in range(rounds):
        random.shuffle(ready)
        for runner in ready:
            base = plain.time(repeats)
            runner.ratios.append(runner.time(repeats) / base)
    return started


def predicted(runner: Runner, plain: Count) -> tuple[Count, float]:
    """The mean of some steps, since methods draw what they do."""
    total = Count()
    for _ in range(5):
        one = count(runner.model, len(runner.batch), runner.step)
        total.forwards += one.forwards / 5
        total.backwards += one.backwards / 5
    return total, total.cost / plain.cost


def table(found: dict[str, Runner | str]) -> list[str]:
    """A line per method: ratio, middle half of the rounds, predicted, target."""
    plain = found["plain"]
    assert isinstance(plain, Runner)
    basis = count(plain.model, len(plain.batch), plain.step)
    width = max(map(len, found))
    lines = [
        f"{'method':<{width}} {'ratio':>6} {'middle half':>13} "
        f"{'counted':>15} {'ratio':>6} {'goal':>7}"
    ]
    for text, runner in found.items():
        if isinstance(runner, str):
            lines.append(f"{text:<{width}} {runner}")
            continue
        each = sorted(runner.ratios)
        n, ratio = len(each), statistics.median(each)
        counted, expected = predicted(runner, basis)
        name = text.partition(":")[0]
        target = TARGETS.get(name, COUNTED * expected)
        lines.append(
            f"{text:<{width}} {ratio:>6.2f} {each[n // 4]:>6.2f}-{each[3 * n // 4]:<6.2f} "
            f"{counted.words:>15} {expected:>6.2f} {target:>7.2f}"
            f"{'' if ratio <= target else '  above'}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-m", "--method", action="append", help="repeat; all that train")
    parser.add_argument("--model", action="append", help="repeat; lenet5")
    parser.add_argument("--batch-size", type=int, help="128; preact-resnet18 32")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--repeats", type=int, help="steps timed at once; 4, preact-resnet18 1")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    devices.deterministic()
    for model in given.model or ["lenet5"]:
        small = model == "lenet5"
        size = given.batch_size or (128 if small else 32)
        found = measure(
            given.method or training_methods(),
            model,
            size,
            given.rounds,
            given.repeats or (4 if small else 1),
        )
        plain = found["plain"]
        assert isinstance(plain, Runner)
        where = devices.describe(plain.batch.x.device)
        took = 1000 * statistics.median(plain.seconds)
        print(f"\n{model}, batches of {size}, {where}; plain: {took:.1f} ms a step")
        print("\n".join(table(found)), flush=True)


def training_methods() -> list[str]:
    """Every method that does something in training and needs nothing else."""
    found = [name for name in names("methods") if name != "corpus-at"]
    hooks = ("step", "targets", "install")
    return [n for n in found if any(overrides(build(Method, n), hook) for hook in hooks)]


if __name__ == "__main__":
    main()
