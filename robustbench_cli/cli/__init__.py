"""The command line: parse, call, show. The only room that prints, and the only one with typer."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from robustbench_cli.errors import RobustmixError

from .app import app
from .show import complain

# typer carries a copy of click, or depends on it, by version: only the base class is needed
_ClickException = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

INTERRUPTED, TERMINATED = 130, 143


class Terminated(BaseException):
    """SIGTERM: from a scheduler, from `timeout`, from a container that is stopped."""


@cache
def _command() -> Callable[..., Any]:
    return get_command(app)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 done, 1 failed, 2 wrong usage, 3 a grid finished with failures, 130 interrupted, 143 ended
    by SIGTERM.
    """
    try:
        with _terminable():
            return _main(arguments)
    except Terminated:
        complain("ended by SIGTERM; the same command goes on where it was")
        return TERMINATED


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM gives up the unit in work, as Ctrl-C does; a second one changes nothing."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL or threading.current_thread() is not threading.main_thread():
        yield  # whoever started this decided otherwise
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _with_remedy(message: str) -> str:
    """What to type instead, where typer knows of no command that is spelled nearly so."""
    if not (found := re.fullmatch(r"No such command '(.*)'\.", message)):
        return message
    option = f"--{found[1]}" if found[1] in ("explain", "list", "version") else "--help"
    return f"{message} Type robustmix {option}"


def _main(arguments: list[str] | None) -> int:
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    try:
        result = _command()(arguments, prog_name="robustmix", standalone_mode=False)
        if result == INTERRUPTED:  # some versions of typer answer an interrupt themselves
            raise KeyboardInterrupt
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except RobustmixError as e:
        if debug:
            traceback.print_exc()
        complain(str(e))
        return e.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted; the same command goes on where it was")
        return INTERRUPTED
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as e:
        if not isinstance(e.__context__, BrokenPipeError):  # typer's answer to | head
            raise
        return 0
    except OSError as e:  # the machine's answer, and no bug
        if debug:
            traceback.print_exc()
        complain(f"{e.filename}: {e.strerror}" if e.filename and e.strerror else str(e))
        return 1
    except Exception as e:
        if isinstance(e, _ClickException):
            if type(e).__name__ == "NoArgsIsHelpError":
                print(e.format_message(), file=sys.stderr)  # type: ignore[attr-defined]
            else:
                complain(_with_remedy(e.format_message()))  # type: ignore[attr-defined]
            return 2
        if debug:
            traceback.print_exc()
        first = str(e).strip().partition("\n")[0]
        complain(f"{type(e).__name__}: {first} (a bug of robustmix; --debug shows where)")
        return 1
