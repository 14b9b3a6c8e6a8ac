"""What it costs to read a data set in parts instead of holding it, and what memory that saves.

    python tests/benchmarks/streaming.py [--case pictures|small-network|arrays] [--repeat 2]

Each case is trained and attacked by `robustmix`, once with all images held (ROBUSTMIX_HOLD=1T) and
once with none (0), in processes of their own, in turns; CPU seconds (user and system, start of
Python included) and the largest resident set in MB, the least of the repetitions. Weights and rows
must be the same to the bit. `pictures`: JPEG files of 500x375 pixels and a residual network, which
takes several times as long as decoding. `small-network`: the same files and a network that
costs less than decoding, which is the worst that can happen. `arrays`: an .npy file of 224x224
images and a network of one layer, which costs less than reading. Nothing of this is part of the
test suite.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from robustbench_cli import load_runs

CALL = "import sys; from robustbench_cli.cli import main; sys.exit(main())"
EPOCHS = ["--epochs", "3", "--seeds", "1", "--device", "cpu"]
Case = tuple[Callable[[Path], str], list[str], list[str]]


def pictures(folder: Path) -> str:
    """60 to train on and 30 to test on, as smooth as photographs."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 60), ("test", 30)):
        for k in range(n):
            coarse = rng.integers(0, 256, (15, 20, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
            grain = rng.normal(0, 8, (375, 500, 3)) + 20 * (k % 2)
            place = folder / part / "ab"[k % 2]
            place.mkdir(parents=True, exist_ok=True)
            grained = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
            Image.fromarray(grained).save(place / f"{k}.jpg", quality=90)
    return f"folder:{folder},resize=72,crop=64"


def arrays(folder: Path) -> str:
    """4,000 images of 150,528 bytes."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    shape = (4000, 224, 224, 3)
    file = np.lib.format.open_memmap(folder / "x.npy", "w+", dtype=np.uint8, shape=shape)
    for start in range(0, len(file), 100):
        file[start : start + 100] = rng.integers(0, 256, (100, *shape[1:]), dtype=np.uint8)
    file.flush()
    np.save(folder / "y.npy", np.arange(len(file)) % 10)
    return f"npz:{folder}/x.npy,labels={folder}/y.npy"


CASES: dict[str, Case] = {
    "pictures": (
        pictures,
        ["--model", "resnet18", *EPOCHS],
        ["-a", "linf-pgd:steps=5", "--samples", "10"],
    ),
    "small-network": (pictures, ["--model", "lenet5", *EPOCHS], ["-a", "linf-fgsm"]),
    "arrays": (arrays, ["--model", "mlp:depth=0", *EPOCHS], ["-a", "linf-fgsm"]),
}


def measure(hold: str, *args: str) -> tuple[float, float]:
    """CPU seconds and peak resident MB of one command."""
    environment = {**os.environ, "ROBUSTMIX_HOLD": hold}
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, *args, "-q"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(args)} failed: {said}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def same(one: Path, other: Path) -> bool:
    """Whether two folders of runs hold the same weights and rows."""
    pairs = [*zip(load_runs(one), load_runs(other), strict=True)]
    return bool(pairs) and all(
        a.weights_digest == b.weights_digest
        and all(
            x.samples.equals(y.samples)
            for x, y in zip(a.evaluations(), b.evaluations(), strict=True)
        )
        for a, b in pairs
    )


def look(name: str, case: Case, folder: Path, repeat: int) -> None:
    make, training, attacking = case
    data = make(folder / name)
    least: dict[tuple[str, str], tuple[float, float]] = {}
    for i in range(repeat):
        for hold in ("1T", "0"):
            runs = folder / f"{name}-{i}-{hold}"
            train = ["train", "--data", data, "--runs-dir", str(runs), *training]
            costs = {"train": measure(hold, *train)}
            run = next(str(path) for path in runs.iterdir() if not path.name.startswith("."))
            attack = ["attack", run, "-e", "1/255,8/255", "--device", "cpu", *attacking]
            costs["attack"] = measure(hold, *attack)
            for what, cost in costs.items():
                before = least.get((what, hold), cost)
                least[what, hold] = min(before[0], cost[0]), min(before[1], cost[1])
        if not same(folder / f"{name}-{i}-1T", folder / f"{name}-{i}-0"):
            raise SystemExit(f"{name}: other results where images are read in parts")
    for what in ("train", "attack"):
        (held, full), (read, part) = least[what, "1T"], least[what, "0"]
        ratio = f"{read / held:7.3f}"
        print(f"{name:<14} {what:<7} {held:9.1f} {read:9.1f} {ratio} {full:9.0f} {part:9.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    heads = ("held, s", "read, s", "ratio", "held, MB", "read, MB")
    print(f"{'case':<14} {'what':<7} {heads[0]:>9} {heads[1]:>9} {heads[2]:>7}", end="")
    print(f" {heads[3]:>9} {heads[4]:>9}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.case or CASES:
            look(name, CASES[name], Path(folder), args.repeat)


if __name__ == "__main__":
    main()
