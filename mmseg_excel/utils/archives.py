"""Archives that unpack to far more than they are."""

from __future__ import annotations

import zipfile
from pathlib import Path

from .bad_input import BadInput

# Numbers are hardly compressible: what unpacks to many times its size is a trap.
MOST_TIMES = 4
ALLOWANCE = 64 << 20


def check_unpacked_size(path: Path) -> None:
    """Refuse a zip archive of numbers that would fill the memory; other files pass.

    Raises:
        BadInput: Names the file and what it would unpack to.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MOST_TIMES * path.stat().st_size + ALLOWANCE:
        raise BadInput(
            f"'{path}' would unpack to {unpacked} bytes, which no such file does: give another one."
        )
