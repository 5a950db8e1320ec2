"""Memory, disk and processor time of this process and all below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path


def tree_memory() -> int:
    """Bytes of memory of all processes, shared pages counted once (proportional set sizes)."""
    return sum(proc_number(pid, 'smaps_rollup', 'Pss') for pid in _tree()) * 1024


def tree_written() -> int:
    """Bytes that all living processes have sent to disks."""
    return sum(proc_number(pid, 'io', 'write_bytes') for pid in _tree())


def tree_cpu() -> float:
    """Processor seconds that all processes, also ended ones, have used."""
    ticks = 0
    for pid in _tree():
        try:
            fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # user and system, its own and of ended children
    return ticks / os.sysconf('SC_CLK_TCK')


def proc_number(pid: int | str, file: str, field: str) -> int:
    """The number that a file of ``/proc/pid`` gives for a field; 0 if the process has ended."""
    try:
        text = Path(f'/proc/{pid}/{file}').read_text()
    except OSError:
        return 0
    found = re.search(rf'^{field}:\s+(\d+)', text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _tree() -> Iterator[int]:
    """Ids of our process and its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path('/proc').glob('[0-9]*'):
        parent = proc_number(path.name, 'status', 'PPid')
        children.setdefault(parent, []).append(int(path.name))
    open_ids = [os.getpid()]
    while open_ids:
        pid = open_ids.pop()
        yield pid
        open_ids += children.get(pid, [])
