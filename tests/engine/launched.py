"""Tools on one process or several, the package imported once: `python -m tests.engine.launched`.

Reads jobs as JSON, from standard input: how many processes, which tool, and its arguments. Forks
each as torchrun would start it, and stops at the first that fails.
"""

from __future__ import annotations

import json
import os
import socket
import sys

import mmseg_excel.commands.test  # noqa: F401
import mmseg_excel.commands.train  # noqa: F401
from tests.datasets.tools import run_tool


def start(tool: str, args: list[str], **environment: object) -> int:
    """Fork a tool with what its launcher tells it."""
    pid = os.fork()
    if pid:
        return pid
    os.environ.update({name: str(value) for name, value in environment.items()})
    code = 1
    try:
        code = run_tool(tool, *args) or 0
    finally:
        os._exit(code)


def run(processes: int, tool: str, *args: str) -> bool:
    """Whether all processes of a tool succeed."""
    if processes == 1:
        pids = [start(tool, list(args))]
    else:
        address = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port(), WORLD_SIZE=processes)
        given = [*args, '--launcher', 'pytorch']
        ranks = range(processes)
        pids = [start(tool, given, RANK=rank, LOCAL_RANK=rank, **address) for rank in ranks]
    return all([os.waitpid(pid, 0)[1] == 0 for pid in pids])


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]


if __name__ == '__main__':
    sys.exit(0 if all(run(*job) for job in json.load(sys.stdin)) else 1)
