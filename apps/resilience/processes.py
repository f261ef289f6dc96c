"""Who we are among the processes that share a store, and names that no other of them will use."""

from __future__ import annotations

import itertools
import os
import socket

from apps.resilience.clock import chance

BEAT_S = 10.0  # a process shows itself this often, with another trip
GONE_S = 30.0  # and is forgotten when it has not for this long

_numbers = itertools.count()
_names: dict[int, str] = {}


def name_of_this_process() -> str:
    """Return a name of host, process id and chance; a forked child has its own."""
    pid = os.getpid()
    if pid not in _names:
        _names[pid] = f"{socket.gethostname()}:{pid}:{int(chance() * 2**48):012x}"
    return _names[pid]


def fresh_token() -> str:
    """Return a token that nobody else has: the process's name and a running number."""
    return f"{name_of_this_process()}:{next(_numbers)}"
