"""The kit's own errors; nothing of aiohttp or Redis passes this line.

    KitError
    ├── Refused              the kit said no, nothing was sent
    │   ├── BreakerOpen      the other side failed too often; `retry_after_s` says when a probe may go
    │   ├── PaceExceeded     the next free slot of the limiter lies beyond the deadline
    │   ├── BulkheadFull     too many calls to this other side are on their way already
    │   ├── AddressRefused   the address is not one that the kit may call
    │   └── RequestRefused   the request itself cannot be sent safely
    ├── CallFailed           it was sent, and no usable answer came
    │   ├── TimedOut
    │   ├── ConnectionFailed
    │   ├── HttpStatus       an answer with a status that is not a success
    │   ├── RedirectRefused
    │   ├── BodyTooLarge
    │   └── BadBody          the body cannot be decoded (cut, or wrongly compressed)
    │       └── NotBelieved  the body is not what the policy's `believes` expects, whatever the status says
    ├── AllSourcesFailed     several sources were asked and none answered; `failures` names each
    ├── StoreUnavailable     the shared state cannot be reached
    └── UnknownRate          no pace is known under this name

`transient` is a property of the error: whether the same call may succeed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.resilience.exchange import Journey

# Nobody means 418 by its own name: exchanges answer it to those who went on after a 429, with the end of their ban.
RATE_LIMIT_STATUSES = frozenset({418, 429})
RETRYABLE_STATUSES = frozenset({408, 425}) | RATE_LIMIT_STATUSES


class KitError(Exception):
    """The root of every error that the kit raises on purpose."""

    transient: bool = False
    code: str = "kit-error"

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])
        self.retry_after_s = retry_after_s
        self.journey: Journey | None = None  # filled in by the layers when the call is given up


class Refused(KitError):
    """The kit refused the call; nothing was sent."""

    code = "refused"


class BreakerOpen(Refused):
    """The breaker is open after repeated failures."""

    transient = True
    code = "breaker-open"


class PaceExceeded(Refused):
    """The next free slot lies beyond the deadline of the call."""

    transient = True
    code = "pace-exceeded"


class BulkheadFull(Refused):
    """Too many calls to this other side are on their way or in line."""

    transient = True
    code = "bulkhead-full"


class AddressRefused(Refused):
    """The address is private, local or otherwise not one to call; allow its host if it is meant."""

    code = "address-refused"


class RequestRefused(Refused):
    """The request cannot be sent safely: its method or a header carries characters that end a line or a word."""

    code = "request-refused"


class CallFailed(KitError):
    """The call was sent and no usable answer came."""

    code = "call-failed"


class TimedOut(CallFailed):
    """No complete answer came in time."""

    transient = True
    code = "timed-out"


class ConnectionFailed(CallFailed):
    """The connection could not be made or broke."""

    transient = True
    code = "connection-failed"


class HttpStatus(CallFailed):
    """The answer's status is not a success. `body` holds at most the first two thousand bytes, for the record."""

    code = "http-status"

    def __init__(self, status: int, *, retry_after_s: float | None = None, body: bytes = b"") -> None:
        super().__init__(f"HTTP status {status}", retry_after_s=retry_after_s)
        self.status = status
        self.body = body
        self.transient = status in RETRYABLE_STATUSES or status >= 500

    @property
    def is_rate_limit(self) -> bool:
        """Whether the other side says that we come too often."""
        return self.status in RATE_LIMIT_STATUSES


class RedirectRefused(CallFailed):
    """The answer was a redirect and the policy allows none."""

    code = "redirect-refused"


class BodyTooLarge(CallFailed):
    """The body, after decompression, is larger than the policy allows."""

    code = "body-too-large"


class BadBody(CallFailed):
    """The body could not be decoded."""

    code = "bad-body"


class NotBelieved(BadBody):
    """The body came whole and is not what this side sends: an older answer stands in where one is kept."""

    transient = True
    code = "not-believed"


class AllSourcesFailed(KitError):
    """None of the sources answered. `failures` holds what each said, in the order in which they stand."""

    code = "all-sources-failed"

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        told = "; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in failures.items())
        waits_s = [wait_s for error in failures.values() if (wait_s := getattr(error, "retry_after_s", None)) is not None]
        super().__init__(told or "there was no source to ask", retry_after_s=min(waits_s, default=None))
        self.failures = MappingProxyType(dict(failures))
        self.transient = any(getattr(error, "transient", False) for error in failures.values())


class StoreUnavailable(KitError):
    """The store of shared state cannot be reached."""

    transient = True
    code = "store-unavailable"


class UnknownRate(KitError):
    """No pace is known under this name."""

    code = "unknown-rate"
