"""The producer of one library in a process of its own: `python -m benchmarks.queue_sender benchmarks.queue_huey`.

Reads lines such as `plain 1000` (what to send, how many), sends them one after the other, and answers `sent`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import TextIO

import django

Send = Callable[[int], None]


def serve(senders: dict[str, Send], orders: TextIO, answers: TextIO) -> None:
    """Follow the orders until there are no more."""
    for order in orders:
        kind, count = order.split()
        senders[kind](int(count))
        answers.write("sent\n")
        answers.flush()


if __name__ == "__main__":
    if "DJANGO_SETTINGS_MODULE" in os.environ:  # only ours
        django.setup()
    serve(importlib.import_module(sys.argv[1]).SENDERS, sys.stdin, sys.stdout)
