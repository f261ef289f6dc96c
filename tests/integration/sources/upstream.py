"""A vendor on loopback that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Question:
    """What was asked."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: bytes
    headers: dict[str, str]


@dataclass
class Answer:
    """What to answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Question], Answer]


class Upstream:
    """Serves one script and keeps every question; `says` changes what it answers."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.script: Script = lambda question: Answer()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                question = Question(self.command, parts.path, parse_qsl(parts.query), body, dict(self.headers))
                upstream.questions.append(question)
                answer = upstream.script(question)
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = answer

            def log_message(self, *args: Any) -> None:
                """Say nothing on the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def says(self, *values: Any, status: int = 200, **headers: str) -> None:
        """Answer with these bodies in turn, the last one for ever; what is not bytes is written as JSON."""
        bodies = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
        sent_headers = {name.replace("_", "-"): value for name, value in headers.items()}

        def script(question: Question) -> Answer:
            return Answer(bodies.pop(0) if len(bodies) > 1 else bodies[0], status, sent_headers)

        self.script = script

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
