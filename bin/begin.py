"""The first lines of the programs beside it: `begin.py MODULE ARGUMENT...` runs a module of the checkout.

Ctrl-C ends it in silence from here on, also while the module is still being imported, until the module listens itself.
"""

import os
import signal

EXIT_STOPPED = 130

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(EXIT_STOPPED))

    import runpy
    import sys

    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
