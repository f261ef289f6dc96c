"""Where the test's own database is, for the processes that a test starts."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.db import connection


def database_address() -> str:
    """Return DATABASE_URL with the name of this test process's database: the server may listen on a socket or a port."""
    name = str(connection.settings_dict["NAME"])
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
