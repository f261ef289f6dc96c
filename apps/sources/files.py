"""A vendor that is a folder: its files are asked for as addresses are, under `file:///folder`.

For recordings that the owner bought or made. A path never leaves the folder, symbolic links included; files are read
in a thread, up to the vendor's cap, unpacked too. A path that ends in "/" is answered with the names of the files under
it, one a line.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from apps.core import clock
from apps.core.errors import DeskError
from apps.resilience import Journey, Response
from apps.sources.calling import CallNote, Journal
from apps.sources.errors import BadAnswer, NotAtVendor, VendorAway, VendorRefused
from apps.sources.ports import Params, Reply
from apps.sources.unpacking import unpack

NAMES_MAX = 10_000


class FileCaller:
    """Reads one folder; the `Caller` that feeds are given in place of one that calls out."""

    def __init__(self, *, base_url: str, slug: str, size_max: int, journal: Journal) -> None:
        self._folder = Path(unquote(urlsplit(base_url).path))
        self._slug = slug
        self._size_max = size_max
        self._journal = journal

    async def get(self, path: str, params: Params = (), headers: Params = ()) -> Reply:
        """Read a file, or list a folder. Parameters and headers mean nothing to a file."""
        started_s = clock.monotonic_s()
        try:
            body = await asyncio.to_thread(self._read, path)
        except DeskError as error:
            self._note_failure(error, path, clock.monotonic_s() - started_s)
            raise
        return Reply(body=body, received_at=self._note(body, path, clock.monotonic_s() - started_s))

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        """Refuse: a folder is only read. Raises VendorRefused."""
        raise VendorRefused(f"{self._slug} is a folder, which takes no questions")

    def _read(self, path: str) -> bytes:
        place = self._place(path)
        try:
            if path.endswith("/"):
                return "\n".join(self._names(place)).encode()
            with place.open("rb") as file:
                packed = file.read(self._size_max + 1)
        except OSError as error:
            self._fail(error, path)
        if len(packed) > self._size_max:
            raise BadAnswer(f"{self._slug}: {path} is larger than {self._size_max} bytes")
        return unpack(packed, size_max=self._size_max)

    def _place(self, path: str) -> Path:
        """Return where a path leads, with every symbolic link followed. Raises VendorRefused when that is elsewhere."""
        try:
            folder = self._folder.resolve(strict=True)
            place = folder.joinpath(path.lstrip("/")).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            self._fail(error, path)
        if not place.is_relative_to(folder) or not (place.is_dir() if path.endswith("/") else place.is_file()):
            raise VendorRefused(f"{self._slug}: {path} is not a file of the folder")
        return place

    def _names(self, place: Path) -> list[str]:
        """Return the names of the files in and under a folder, in order; hidden ones and links are passed over."""
        found = (file for file in sorted(place.rglob("*")) if file.is_file() and not file.is_symlink())
        names = [file.relative_to(place).as_posix() for file in found]
        shown = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
        if len(shown) > NAMES_MAX:
            raise BadAnswer(f"{self._slug}: the folder holds more than {NAMES_MAX} files")
        return shown

    def _fail(self, error: Exception, path: str) -> NoReturn:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and self._folder.is_dir():
            raise NotAtVendor(f"{self._slug} has no file {path}") from None
        if isinstance(error, PermissionError):
            raise VendorRefused(f"{self._slug}: {path} may not be read") from None
        raise VendorAway(f"{self._slug}: {path} cannot be read ({type(error).__name__})") from None

    def _note(self, body: bytes, path: str, duration_s: float) -> datetime:
        now_s = clock.now().astimezone(UTC).timestamp()
        response = Response(
            status=200, headers={}, body=body, received_at_s=now_s, duration_s=duration_s, journey=Journey(attempts=1)
        )
        return self._journal.took(response, path)

    def _note_failure(self, error: DeskError, path: str, duration_s: float) -> None:
        self._journal.calls += 1
        self._journal.error_code = error.code
        note = CallNote(path=path, outcome=error.code, status=None, duration_s=duration_s, journey=Journey(attempts=1))
        self._journal.notes.append(note)
