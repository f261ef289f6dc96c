"""Calling one vendor: addresses made absolute, every answer noted in a journal, every failure in the room's words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote, quote_plus

from apps.core import clock
from apps.core.errors import DeskError
from apps.core.progress import Progress, unheard
from apps.resilience import (
    AddressRefused,
    BadBody,
    BodyTooLarge,
    BreakerPhase,
    Client,
    HttpStatus,
    Journey,
    KitError,
    RedirectRefused,
    Request,
    Response,
)
from apps.sources.errands import present_errand, question_of
from apps.sources.errors import BadAnswer, NotAtVendor, VendorAway, VendorRefused
from apps.sources.ports import KeyRule, Params, Reply
from apps.sources.registry import Connection
from apps.sources.strict import excerpt_of

NOT_FOUND_STATUSES = (404, 410)
FORBIDDING_STATUSES = (401, 403, 451)
KEY_LENGTH_MIN = 8  # nothing shorter is a secret, and it may stand in a price by chance
PLAIN_IN_PATHS = "!$&'()*,;=:@"  # RFC 3986, section 3.3: addresses are put into this form when they are sent


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNote:
    """One call as it went, repeats included. `path` is as the feed named it: without parameters and without the key."""

    path: str
    outcome: str
    status: int | None
    duration_s: float
    journey: Journey
    size_bytes: int = 0
    digest: str = ""


@dataclass(slots=True)
class Journal:
    """What one fetch went through, for the log: filled in call by call. `progress` hears of every call."""

    operation: str
    progress: Progress = unheard
    calls: int = 0
    size_bytes: int = 0
    wait_s: float = 0.0
    status: int | None = None
    phase: BreakerPhase = BreakerPhase.CLOSED
    received_at: datetime | None = None
    error_code: str = ""
    kept_reason: str = ""
    notes: list[CallNote] = field(default_factory=list)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """The fingerprint of all bodies in order, or nothing when none came."""
        return self._digest.hexdigest() if self.size_bytes else ""

    def took(self, response: Response, path: str) -> datetime:
        """Note a good answer and return when it came."""
        note = CallNote(
            path=path,
            outcome="kept" if response.journey.stale_reason else "ok",
            status=response.status,
            duration_s=response.duration_s,
            journey=response.journey,
            size_bytes=len(response.body),
            digest=hashlib.sha256(response.body).hexdigest(),
        )
        self.notes.append(note)
        self.progress(len(self.notes), None, f"{self.operation}: {path}")
        self.kept_reason = self.kept_reason or response.journey.stale_reason
        self._travelled(response.journey)
        self.status = response.status
        self.size_bytes += len(response.body)
        self._digest.update(response.body)
        self.received_at = datetime.fromtimestamp(response.received_at_s, tz=UTC)
        return self.received_at

    def failed(self, error: KitError, path: str, duration_s: float) -> None:
        """Note a call that was given up."""
        self.error_code = error.code
        self.status = error.status if isinstance(error, HttpStatus) else None
        journey = error.journey or Journey()
        self.notes.append(CallNote(path=path, outcome=error.code, status=self.status, duration_s=duration_s, journey=journey))
        self._travelled(journey)

    def _travelled(self, journey: Journey) -> None:
        self.calls += journey.attempts
        self.wait_s += journey.wait_s
        self.phase = journey.phase


class VendorCaller:
    """Calls one vendor through the kit's client; the `Caller` that feeds are given."""

    def __init__(self, *, client: Client, slug: str, connection: Connection, journal: Journal, correlation_id: str = "") -> None:
        self._client = client
        self._slug = slug
        self._connection = connection
        self._journal = journal
        self._correlation_id = correlation_id

    async def get(self, path: str, params: Params = (), headers: Params = ()) -> Reply:
        """Ask for `path`; the vendor's key is added on the way."""
        return await self._send("GET", path, params, headers)

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        """Ask with a JSON body; nothing repeats a question that is not `repeatable`."""
        encoded = json.dumps(body, separators=(",", ":")).encode()
        return await self._send("POST", path, (), (), body=encoded, repeatable=repeatable)

    async def _send(
        self, method: str, path: str, params: Params, headers: Params, *, body: bytes | None = None, repeatable: bool = True
    ) -> Reply:
        """Take the answer that an earlier part of this errand got, or ask."""
        errand = present_errand()
        question = question_of(self._slug, method, path, params, headers, body)
        if errand is None:
            response = await self._ask(method, path, params, headers, body, repeatable=repeatable)
        elif (kept := errand.answer_to(question)) is not None:
            response = kept
        else:
            async with errand.asking():
                response = await self._ask(method, path, params, headers, body, repeatable=repeatable)
            response.body = body_without_key(response.body, self._connection.api_key)
            errand.keep_answer(question, response)
        readable = body_without_key(response.body, self._connection.api_key)
        return Reply(body=readable, received_at=self._journal.took(response, path), headers=response.headers)

    async def _ask(
        self, method: str, named: str, params: Params, headers: Params, body: bytes | None, *, repeatable: bool
    ) -> Response:
        path, params, headers = with_key(self._connection.key, self._connection.api_key, named, params, headers)
        started_s = clock.monotonic_s()
        request = Request(
            operation=self._journal.operation,
            method=method,
            url=self._connection.base_url + path,
            params=params,
            headers=dict(headers),
            json=body,
            correlation_id=self._correlation_id,
            repeatable=repeatable,
            secrets=(self._connection.api_key,) if self._connection.api_key else (),
        )
        try:
            return await self._client.send(request, self._connection.policy)
        except KitError as error:
            self._journal.failed(error, named, clock.monotonic_s() - started_s)
            raise in_our_words(error, self._slug, secret=self._connection.api_key) from error


def with_key(rule: KeyRule | None, key: str, path: str, params: Params, headers: Params) -> tuple[str, Params, Params]:
    """Return path, parameters and headers with the key where the vendor wants it; unchanged without a rule or a key."""
    if rule is None or not key:
        return path, params, headers
    if rule.place == "path":
        return path.replace("{key}", quote(key, safe="")), params, headers
    given = ((rule.name, rule.prefix + key),)
    return (path, params + given, headers) if rule.place == "param" else (path, params, headers + given)


def without_key(text: str, key: str) -> str:
    """Return the text with the key blotted out: some vendors repeat it in their complaints."""
    for form in _forms_of(key):
        text = text.replace(form, "(key)")
    return text


def body_without_key(body: bytes, key: str) -> bytes:
    """Return a body with the key blotted out before anybody reads it: what is read ends in errors, logs and rows."""
    if len(key) >= KEY_LENGTH_MIN:
        for form in _forms_of(key):
            body = body.replace(form.encode(), b"(key)")
    return body


def _forms_of(key: str) -> list[str]:
    """Return the ways in which an answer may write a key: as it is, and as it stands in addresses, in JSON and in pages."""
    in_json = json.dumps(key)[1:-1]
    in_addresses = {quote(key, safe=""), quote(key), quote(key, safe=PLAIN_IN_PATHS), quote_plus(key)}
    forms = {key, in_json, in_json.replace("/", "\\/"), escape(key), *in_addresses}
    return sorted(forms - {""}, key=len, reverse=True)


def in_our_words(error: KitError, slug: str, *, secret: str = "") -> DeskError:
    """Return the room's error for one of the kit's; `secret` is blotted out of what the vendor said."""
    if isinstance(error, BodyTooLarge | BadBody | RedirectRefused):
        return BadAnswer(f"{slug}: {error}")
    if isinstance(error, AddressRefused):
        return VendorRefused(f"{slug}: {error}")
    if isinstance(error, HttpStatus) and not error.transient:
        return _on_status(error, slug, secret)
    return VendorAway(f"{slug}: {error}", retry_after_s=error.retry_after_s)


def _on_status(error: HttpStatus, slug: str, secret: str) -> DeskError:
    said = without_key(excerpt_of(error.body), secret)[:200]
    if error.status in NOT_FOUND_STATUSES:
        return NotAtVendor(f"{slug} does not know it (HTTP {error.status}): {said}")
    if error.status in FORBIDDING_STATUSES:
        return VendorRefused(f"{slug} refuses us (HTTP {error.status}): {said}")
    return VendorRefused(f"{slug} does not take the question (HTTP {error.status}): {said}")
