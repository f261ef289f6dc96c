"""A new web process that is asked for one page: python -m tests.integration.monitoring.cold_page PATH

It tells how many questions the page asked, and which of our modules were imported under their deadline.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

from apps.monitoring import probing
from project.wsgi import application

OURS = ("apps", "tasks", "project")
ask = probing.with_own_connections


def main(path: str) -> None:
    imported: list[set[str]] = []

    def ask_and_look(question: Callable[[], Any]) -> Any:
        before = set(sys.modules)
        try:
            return ask(question)
        finally:
            imported.append({name for name in set(sys.modules) - before if name.split(".")[0] in OURS})

    probing.with_own_connections = ask_and_look
    environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_AUTHORIZATION": "Bearer ops-token-of-the-tests"}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start(status: str, *_: Any) -> Callable[[bytes], None]:
        statuses.append(status)
        return lambda _: None

    said = b"".join(application(environ, start))
    found = {"status": statuses[0], "said": said.decode(), "questions": len(imported), "imported": sorted(set().union(*imported))}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
