"""The environment of the tests, set before Django reads its settings (loaded early, by `-p tests.environment`).

PostgreSQL and Valkey come from DATABASE_URL and REDIS_URL, which bin/test sets. Each pytest-xdist worker has a database
of its own (pytest-django) and Valkey databases of its own (here).
"""

from __future__ import annotations

import os

DATABASES_PER_WORKER = 4


def redis_of_worker(url: str, worker: str) -> str:
    """Return the Redis address whose database number belongs to this xdist worker."""
    head, _, tail = url.rpartition("/")
    if not tail.isdigit() or not worker.startswith("gw"):
        return url
    return f"{head}/{int(tail) + DATABASES_PER_WORKER * (1 + int(worker[2:]))}"


os.environ["ENVIRONMENT"] = "test"
os.environ["OPS_TOKEN"] = "ops-token-of-the-tests"
if os.environ.get("REDIS_URL"):
    os.environ["REDIS_URL"] = redis_of_worker(os.environ["REDIS_URL"], os.environ.get("PYTEST_XDIST_WORKER", ""))
