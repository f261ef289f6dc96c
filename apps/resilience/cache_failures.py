"""Failures that are remembered: an error as plain data, and the error made of that data in another process."""

from __future__ import annotations

from apps.resilience.cache_ports import Failure
from apps.resilience.errors import (
    AddressRefused,
    BadBody,
    BodyTooLarge,
    BreakerOpen,
    CallFailed,
    ConnectionFailed,
    HttpStatus,
    KitError,
    PaceExceeded,
    RedirectRefused,
    TimedOut,
)
from apps.resilience.freshness import CacheRule
from apps.resilience.safely import message_of

SHARED_S_MIN = 5.0  # long enough for the followers in other processes to learn how their leader fared
_BY_CODE: dict[str, type[KitError]] = {
    kind.code: kind
    for kind in (
        AddressRefused,
        BadBody,
        BodyTooLarge,
        BreakerOpen,
        CallFailed,
        ConnectionFailed,
        PaceExceeded,
        RedirectRefused,
        TimedOut,
    )
}


def failure_of(error: Exception, rule: CacheRule, *, at_s: float, fence: int = 0) -> Failure:
    """Return what is remembered of the error. One that does not say whether it is transient is taken to be."""
    is_transient = bool(getattr(error, "transient", True))
    return Failure(
        code=str(getattr(error, "code", type(error).__name__)),
        message=message_of(error),  # kept where others read it: without secrets
        transient=is_transient,
        failed_at_s=at_s,
        kept_s=max(SHARED_S_MIN, rule.retry_s if is_transient else rule.negative_s),
        status=error.status if isinstance(error, HttpStatus) else None,
        retry_after_s=getattr(error, "retry_after_s", None),
        fence=fence,
    )


def error_of(failure: Failure) -> KitError:
    """Return the error again: of its own class when it is one of the kit's, else a CallFailed with its code."""
    if failure.status is not None:
        return HttpStatus(failure.status, retry_after_s=failure.retry_after_s)
    error = _BY_CODE.get(failure.code, CallFailed)(failure.message, retry_after_s=failure.retry_after_s)
    error.code, error.transient = failure.code, failure.transient
    return error
