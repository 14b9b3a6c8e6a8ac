"""Kills a grid on two workers again and again: does it end with the bytes of an undisturbed one?

    python tests/benchmarks/kills.py --kills 50

A small experiment (digits; lenet5 and an MLP) runs once in peace. Then it is started, and killed at
a random moment by SIGKILL or SIGTERM, in turns, until there were so many kills or Ctrl-C; two
seconds after each, no worker may be left. Where it comes to its end before a kill, it begins anew.
A last command runs to the end. Prints one line; exits with 1 if weights or rows differ, or if a
process or a hidden file was left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GRID = """
[train]
data = "digits"
model = ["lenet5", "mlp:width=32"]
epochs = 2
train-fraction = 0.2

[[attack]]
attack = "linf-fgsm"
eps = ["0.1", "0.2"]
samples = 40
"""
PATIENCE = 2.0  # seconds within which the workers must end


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The command in a session of its own: its process group finds its workers again."""
    (folder / "grid.toml").write_text(GRID)
    return subprocess.Popen(
        [sys.executable, "-m", "robustbench_cli", "run", "grid.toml", "-j", "2"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def left_of(group: int) -> list[str]:
    """The processes of a group that still live."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [pid for pid, of, state in rows if of == str(group) and state[0] != "Z"]


def seconds_to_end(group: int) -> float:
    """Until no process of the group is left; infinite where some outlive five times the patience.

    They are ended then.
    """
    began = time.monotonic()
    while left := left_of(group):
        if time.monotonic() - began > 5 * PATIENCE:
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
            return float("inf")
        time.sleep(0.05)
    return time.monotonic() - began


def results(folder: Path) -> dict[str, bytes]:
    """Weights and rows, by their place."""
    found = [*folder.glob("runs/*/model.safetensors"), *folder.glob("runs/*/attacks/*.csv.gz")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def litter(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        calm, wild = Path(name, "calm"), Path(name, "wild")
        calm.mkdir()
        wild.mkdir()
        began = time.monotonic()
        if start(calm).wait() != 0:
            print("the undisturbed run failed")
            return 1
        whole, slowest, late, ends = time.monotonic() - began, 0.0, 0, 0
        kills, codes, stopped = 0, set(), []
        signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
        while kills < options.kills and not stopped:
            process = start(wild)
            try:
                process.wait(rng.uniform(0, whole))
            except subprocess.TimeoutExpired:
                kills += 1
                process.send_signal((signal.SIGKILL, signal.SIGTERM)[kills % 2])
                codes.add(process.wait())
                took = seconds_to_end(process.pid)
                print(f"kill {kills}, {took:.2f} s", file=sys.stderr)
                slowest, late = max(slowest, took), late + (took > PATIENCE)
            else:
                ends += 1
                if results(wild) != results(calm):
                    break
                shutil.rmtree(wild / "runs", ignore_errors=True)
        code = start(wild).wait()
        same = code == 0 and len(results(calm)) > 0 and results(wild) == results(calm)
        print(
            f"{kills} kills: {'the same bytes' if same else 'OTHER BYTES'} in {len(results(wild))} "
            f"files, begun anew {ends} times; the last process ended {slowest:.2f} s after its "
            f"parent, {late} later than {PATIENCE:.0f} s; left behind: "
            f"{', '.join(litter(wild)) or 'nothing'}; exit codes {sorted(codes)}"
        )
        return 0 if same and not late and not litter(wild) else 1


if __name__ == "__main__":
    sys.exit(main())
