"""``python -m robustbench_cli`` and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from .cli import main as run

        sys.exit(run())
    except KeyboardInterrupt:  # before the command line was there to answer
        sys.exit(130)


if __name__ == "__main__":
    main()
