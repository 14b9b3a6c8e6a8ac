"""``python -m robustbench_cli`` and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    from robustbench_cli.cli import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
