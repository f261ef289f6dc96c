"""People at the door: staff, a stranger, and a program with the ops token."""

from __future__ import annotations

import socket
from contextlib import contextmanager

import pytest
from django.db import connections
from django.test import Client

from apps.accounts.models import User

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


@pytest.fixture
def staff(_django_db_helper) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("olga", is_staff=True))
    return client


@pytest.fixture
def stranger(_django_db_helper) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("charlie"))
    return client


@pytest.fixture
def nobody() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def ops(settings) -> Client:
    settings.OPS_TOKEN = "ops-token-of-the-tests"
    return Client(headers={"Authorization": "Bearer ops-token-of-the-tests"}, raise_request_exception=False)
