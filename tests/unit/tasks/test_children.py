"""What a worker's main process does before its first child, so that no child need do it again."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: what is frozen stays frozen. A list stands for all that a desk has loaded.
FORKING_TWICE = """
import gc, sys
from celery.signals import worker_before_create_process
import cffi, tasks.children
before = "pycparser.c_parser" in sys.modules
loaded = [[] for _ in range(10_000)]
worker_before_create_process.send(sender=None)
frozen = gc.get_freeze_count()
later = [[] for _ in range(10_000)]
worker_before_create_process.send(sender=None)
print(before, "pycparser.c_parser" in sys.modules, frozen > 10_000, gc.get_freeze_count() - frozen < 10_000)
"""


def test_what_is_loaded_is_frozen_once_and_a_childs_first_step_is_loaded():
    done = subprocess.run([sys.executable, "-c", FORKING_TWICE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "True", "True"]
