"""People at the door: staff, a stranger, and a program with the ops token."""

from __future__ import annotations

import socket
from contextlib import contextmanager

import pytest
from django.db import connections

SECONDS_OF_PATIENCE = 4.0  # the deadline is 1.8 s; the rest is for a loaded machine


@contextmanager
def database_at(port):
    """Point new connections, which every probe makes, at another port of this machine."""
    address = connections.settings["default"]
    kept = {name: address[name] for name in ("HOST", "PORT")}
    address.update(HOST="127.0.0.1", PORT=str(port))
    try:
        yield
    finally:
        address.update(kept)


@pytest.fixture
def dumb_port():
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
