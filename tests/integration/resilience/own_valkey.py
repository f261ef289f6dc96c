"""A Valkey server of the test's own, which may be killed, stopped and started again."""

from __future__ import annotations

import subprocess
import time

from apps.backups.embedded import free_port
from project.local.valkey import EmbeddedValkey


class OwnValkey:
    """One server in one folder, on one port; without `durable` it comes back empty."""

    def __init__(self, folder, *, durable=False):
        self._server = EmbeddedValkey(folder, port=free_port(), durable=durable)
        self.start()
        self.url = self._server.url

    def start(self):
        """Start it and wait until it answers."""
        self._server.prepare()
        self.process = subprocess.Popen(self._server.command(), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._server.is_ready() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self._server.is_ready()

    def kill(self):
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()
