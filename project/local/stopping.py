"""The operator's wish to stop: a flag that a signal handler may set at any moment and that ends a wait at once."""

from __future__ import annotations

import os
import select


class StopRequest:
    """Counts the times that the operator asked. A pipe, not a lock: a signal handler must never wait for its own thread."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.times = 0

    def ask(self) -> None:
        """Note one more wish to stop."""
        self.times += 1
        if self.times == 1:
            os.write(self._write_end, b".")

    def came_within(self, duration_s: float) -> bool:
        """Wait up to `duration_s` seconds and return whether a wish was noted, now or earlier."""
        select.select([self._read_end], [], [], duration_s)
        return self.times > 0
