"""How long `robustmix report` takes over how many runs, and in how much memory.

    python tests/benchmarks/reports.py [--runs 100 400 1600] [--n 20] [--epsilons 0:0.5:0.1]
    python tests/benchmarks/reports.py --runs 50 200 --n 10000 --epsilons 0:0.5:0.025

Every run has three evaluations of `--n` images (see fake_runs.py). Each row is a process of its
own: seconds of wall clock with the start of Python in them, and its largest resident set in MB;
once for the table, once for the table of one attack. Growth is the seconds by those of the row
above, which should be no more than the runs by the runs above. At the end, an experiment of 5,000
jobs is listed. Nothing of this is part of the test
suite.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fake_runs import ATTACKS, draw, make_evaluation, make_run

METHODS = ("plain", "mixup", "pgd-at", "sat")
DRAWN = 10
LARGE = """
[train]
data = "digits"
model = "lenet5"
method = ["plain", "mixup", "pgd-at", "vib"]
seeds = 250

[[attack]]
attack = ["linf-pgd", "linf-fgsm", "l2-pgd", "l2-deepfool"]
eps = "0.1"
"""
CALL = "import sys; from robustbench_cli.cli import main; sys.exit(main())"


def make(folder: Path, runs: int, n: int, epsilons: str) -> None:
    """`runs` runs of four methods, attacked three times each; from the eleventh seed on, copies."""
    for i in range(runs):
        method, seed = METHODS[i % len(METHODS)], i // len(METHODS)
        run = make_run(folder, method, seed)
        if seed >= DRAWN:
            twin = folder / run.name.replace(f"-s{seed}", f"-s{seed % DRAWN}")
            shutil.copytree(twin / "attacks", run.path / "attacks")
            continue
        for attack, scale in ATTACKS.items():
            norm = attack.partition("-")[0]
            distances = draw(0.97, 0.1 * scale, n, seed=i)
            run.save(make_evaluation(distances, attack, norm, epsilons))


def list_jobs() -> None:
    """An experiment of 5,000 jobs, listed and not done."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.toml"
        path.write_text(LARGE)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CALL, "run", str(path), "--dry-run", "-q"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
    print(f"{len(done.stdout.splitlines())} jobs listed by --dry-run in {seconds:.1f} s")


def measure(*args: str) -> tuple[float, float]:
    """Wall-clock seconds and peak resident MB of one `robustmix report`."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, "report", *args], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"report {' '.join(args)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 400, 1600])
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--epsilons", default="0:0.5:0.1")
    parser.add_argument("--folder", type=Path, help="keep the runs here and use them again")
    args = parser.parse_args()
    print(f"{'runs':>6} {'asked for':<14} {'seconds':>8} {'growth':>7} {'MB':>6}")
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for runs in args.runs:
            folder = (args.folder or Path(temporary)) / f"{runs}-{args.n}"
            if not folder.exists():
                make(folder, runs, args.n, args.epsilons)
            for asked in ((), ("-a", "linf-fgsm")):
                what = " ".join(asked) or "everything"
                seconds, memory = measure(str(folder), *asked)
                growth = f"{seconds / before[what]:.1f}" if what in before else ""
                print(f"{runs:6} {what:<14} {seconds:8.1f} {growth:>7} {memory:6.0f}", flush=True)
                before[what] = seconds
    list_jobs()


if __name__ == "__main__":
    main()
