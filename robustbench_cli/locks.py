"""One process at a time at one piece of work, wherever the processes were started.

The operating system holds the lock (flock) and lets go when its holder ends, however it ends. It
holds between machines where the file system does so: NFS since Linux 2.6.12, Lustre mounted with
``flock``. Where a file system or a platform has no locks there is none, and work that two
processes do at once is done twice: files are whole all the same.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import RunError
from .files import slug

if sys.platform != "win32":
    import fcntl

_log = logging.getLogger(__name__)
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


@contextmanager
def held(work: Path, label: str = "") -> Iterator[bool]:
    """Hold the lock of what is made at the path `work`; gives whether another had to end first.

    Who has to wait says so, if there is a `label`, and should look again whether the work is done.
    The lock is a hidden file beside `work`, gone when the block ends.

    Raises:
        RunError: the folder cannot be written to.
    """
    place = work.parent / slug(f".{work.name}.lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(place)
        if (waited := file is None) and label:
            _log.warning("%s: another process is at work on it; waiting for that", label)
        while file is None:
            file = _locked(place, wait=True)
    except OSError as e:
        raise RunError(f"cannot write {place}: {e.strerror or e}") from e
    try:
        yield waited
    finally:
        place.unlink(missing_ok=True)  # while it is held: who waits on it sees that it is gone
        os.close(file)


def _locked(place: Path, *, wait: bool = False) -> int | None:
    """The open file once it is locked; None where another holds it, or held and removed it."""
    file = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if _same(place, file):
            return file
    except BlockingIOError:
        pass
    except OSError as e:
        if e.errno in _NO_LOCKS:
            return file
        os.close(file)
        raise
    except BaseException:  # an interrupt while it waits
        os.close(file)
        raise
    os.close(file)
    return None


def _same(place: Path, file: int) -> bool:
    try:
        return os.path.samestat(place.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
