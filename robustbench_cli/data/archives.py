"""Members of zip archives, of which no more is unpacked than somebody reads."""

from __future__ import annotations

import zipfile
from typing import IO

_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How members may be packed: whatever else Python knows is unpacked without a limit."""


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """To be read with a number of bytes each time: ``read()`` unpacks gigabytes in one go.

    Raises:
        ValueError: packed with bzip2 or LZMA, of which 50 bytes may become a gigabyte.
    """
    if member.compress_type not in _BOUNDED:
        raise ValueError("packed in another way than deflate")
    return archive.open(member)
