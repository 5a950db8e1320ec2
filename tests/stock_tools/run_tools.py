"""Run scripts one after the other in one process, from the folder it was started in.

    python run_tools.py '[["name", "script.py", "argument", ...], ...]'

Prints what they print, and a line `RAN name` or `FAILED name` after each.
"""

from __future__ import annotations

import json
import runpy
import sys
import traceback


def main() -> None:
    for name, script, *arguments in json.loads(sys.argv[1]):
        sys.argv[:] = [script, *arguments]
        print(f'BEGIN {name}', flush=True)
        try:
            runpy.run_path(script, run_name='__main__')
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            print(f'FAILED {name}', flush=True)
        else:
            print(f'RAN {name}', flush=True)


if __name__ == '__main__':
    main()
