"""Keeping leases alive while their holders work: one thread in each process that has something to keep.

The thread has a database connection only for the moment of a renewal, and is made on first use, so that a forked worker
makes its own. Work that ends sooner than the first renewal costs two entries of a dictionary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from django.db import Error as DatabaseAway
from django.db import connection

from apps.core import clock
from apps.core.claims import StaleLease

log = structlog.get_logger(__name__)

RENEW_EVERY_S = 5.0  # a third of a lease: two renewals may fail
LOOK_EVERY_S = 1.0


@dataclass(slots=True, eq=False)
class _Kept:
    """One lease: how it is renewed, and when next (on the monotonic clock)."""

    renew: Callable[[], None]
    due_s: float
    is_lost: bool = False


class Keeper:
    """Renews what it is given until its holder lets go, or somebody else has taken it."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, renew: Callable[[], None]) -> Iterator[None]:
        """Call `renew` every five seconds, in another thread, while the block runs. It raises StaleLease when all is over."""
        entry = _Kept(renew, clock.monotonic_s() + RENEW_EVERY_S)
        # A dictionary's single steps are safe between threads, and a time limit that strikes here leaves no lock behind.
        self._kept[id(entry)] = entry
        try:
            self._have_thread()
            yield
        finally:
            self._kept.pop(id(entry), None)

    def renew_due(self) -> int:
        """Renew every lease whose time has come and return how many were."""
        due = [entry for entry in list(self._kept.values()) if not entry.is_lost and entry.due_s <= clock.monotonic_s()]
        try:
            for entry in due:
                self._renew(entry)
        finally:
            if due:
                connection.close()
        return len(due)

    def _have_thread(self) -> None:
        # A forked child's copy of its parent's thread is dead.
        if not self._is_running():
            with self._starting:
                if not self._is_running():
                    self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
                    self._thread.start()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        pause, trouble = threading.Event(), None
        while not pause.wait(LOOK_EVERY_S):
            try:
                if trouble is not None:
                    log.error("leases_not_renewed", exc_info=trouble)
                    trouble = None
                self.renew_due()
            except Exception as error:  # noqa: BLE001 - without this thread every long job of the process would lose its lease
                trouble = error  # told at the next look: what has no memory to renew has none to tell of it

    def _renew(self, entry: _Kept) -> None:
        try:
            entry.renew()
            entry.due_s = clock.monotonic_s() + RENEW_EVERY_S
        except StaleLease as error:
            # The holder hears of it at its next commit, which is refused: that of a job by the fence, that of a section by
            # its guard.
            entry.is_lost = True
            log.info("lease_lost", reason=str(error))
        except DatabaseAway as error:
            # Tried again at the next look: a lease outlives a restart of the database.
            log.warning("lease_not_renewed", error=type(error).__name__)
        except Exception:
            log.exception("lease_not_renewed")


keeper = Keeper()
