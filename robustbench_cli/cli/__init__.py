"""The command line: parse, call, show. The only room that prints, and the only one with typer."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from robustbench_cli.errors import RobustmixError

from .app import app
from .show import complain

# typer carries a copy of click, or depends on it, by version: only the base class is needed
_ClickException = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 done, 1 failed, 2 wrong usage, 3 a grid finished with failures, 130 interrupted.
    """
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    try:
        result = app(arguments, prog_name="robustmix", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except RobustmixError as e:
        if debug:
            traceback.print_exc()
        complain(str(e))
        return e.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted; the same command goes on where it was")
        return 130
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if isinstance(e, _ClickException):
            complain(e.format_message())  # type: ignore[attr-defined]
            return 2
        if debug:
            traceback.print_exc()
        first = str(e).strip().partition("\n")[0]
        complain(f"{type(e).__name__}: {first} (a bug of robustmix; --debug shows where)")
        return 1
