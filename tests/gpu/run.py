"""What a GPU does: the tests that need one, and every speed; one command, under eight minutes.

    python tests/gpu/run.py --out results              on a GPU
    python tests/gpu/run.py --device cpu --tiny        a rehearsal: its numbers mean nothing

Needs no installation, no network and no data files: images are random, of CIFAR-10's shape. Writes
``gpu.json`` and ``gpu.md`` after every part, so that a kill costs one part; each part is a process
of its own with a time limit, and one that fails is written down as failed. `parts.py` says what is
measured, and against what.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
PARTS = {  # in this order, with the seconds that each may take
    "machine": 30,
    "tests": 80,
    "pgd preact": 50,
    "train preact": 50,
    "pgd wide": 60,
    "train wide": 60,
    "sweeps": 60,
    "worst-case": 45,
    "compiled preact": 70,
    "compiled wide": 90,
}
WHOLE = 460  # seconds; what has not begun by then is left out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), help="a folder")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: smallest sizes")
    parser.add_argument("--only", default="", help="parts whose name contains this")
    parser.add_argument("--seconds", type=float, default=WHOLE, help="for all parts together")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begun, done = time.monotonic(), list[dict[str, Any]]()
    for name, most in PARTS.items():
        if options.only not in name:
            continue
        left = options.seconds - (time.monotonic() - begun)
        limit = min(most * (4 if options.tiny else 1), left)
        part = run(name, limit, options) if limit > 5 else {"rows": [], "error": "no time left"}
        done.append({"part": name, **part})
        said = part["error"] or f"{len(part['rows'])} rows"
        print(f"{name}: {said} ({part.get('seconds', 0):.0f} s)", file=sys.stderr, flush=True)
        write(options.out, done, time.monotonic() - begun)
    print((options.out / "gpu.md").read_text("utf-8"))
    return int(any(part["error"] for part in done))


def run(name: str, limit: float, options: argparse.Namespace) -> dict[str, Any]:
    """The rows of a part; what it had written when it failed or ran out of time stays."""
    rows = options.out.absolute() / ".rows.jsonl"
    rows.unlink(missing_ok=True)
    command = [sys.executable, str(HERE.with_name("parts.py")), name, str(rows), options.device]
    command += ["--tiny"] if options.tiny else []
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    begun, error = time.monotonic(), ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that its workers end with it
    ) as process:
        try:
            text, _ = process.communicate(timeout=limit)
            if process.returncode:
                error = last_line(text) or f"exit code {process.returncode}"
        except subprocess.TimeoutExpired:
            end(process)
            text, _ = process.communicate()
            error = f"took more than {limit:.0f} s"
        except BaseException:
            end(process)
            raise
    lines = rows.read_text("utf-8").splitlines() if rows.exists() else []
    rows.unlink(missing_ok=True)
    return {
        "rows": [json.loads(line) for line in lines],
        "error": error,
        "seconds": round(time.monotonic() - begun, 1),
        **({"output": text[-4000:]} if error else {}),
    }


def end(process: subprocess.Popen[str]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, 9)
    else:
        process.kill()


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def write(out: Path, done: list[dict[str, Any]], seconds: float) -> None:
    facts = {"seconds": round(seconds, 1), "parts": done}
    for name, text in (("gpu.json", json.dumps(facts, indent=1)), ("gpu.md", markdown(done))):
        beside = out / f".{name}"
        beside.write_text(text + "\n", "utf-8")
        beside.replace(out / name)


def markdown(done: list[dict[str, Any]]) -> str:
    """One table per part, its columns those of its rows."""
    lines = ["# On a GPU", ""]
    for part in done:
        lines += [f"## {part['part']} ({part.get('seconds', 0):.0f} s)", ""]
        columns = list(dict.fromkeys(key for row in part["rows"] for key in row))
        if columns:
            lines += [
                "| " + " | ".join(columns) + " |",
                "| " + " | ".join("-" for _ in columns) + " |",
            ]
            lines += [
                "| " + " | ".join(str(row.get(key, "")) for key in columns) + " |"
                for row in part["rows"]
            ]
            lines.append("")
        if part["error"]:
            lines += [f"failed: {part['error']}", ""]
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    sys.exit(main())
