"""What the end of a call says: to the breaker about the other side's health, to the limiter about our pace."""

from __future__ import annotations

from apps.resilience.breaker import Verdict
from apps.resilience.errors import BadBody, BodyTooLarge, HttpStatus, KitError, Refused, StoreUnavailable
from apps.resilience.limiter import Feedback

SERVICE_UNAVAILABLE = 503


def verdict_on(error: KitError) -> Verdict:
    """Return what a failed attempt says about the other side's health.

    A refusal of our own, a store that is away and a rate limit say nothing about it; a 404 shows that it is well.
    """
    if isinstance(error, Refused | StoreUnavailable):
        return Verdict.NEUTRAL
    if isinstance(error, HttpStatus):
        if error.is_rate_limit:
            return Verdict.NEUTRAL
        return Verdict.FAILURE if error.transient else Verdict.SUCCESS
    is_ill = error.transient or isinstance(error, BadBody | BodyTooLarge)
    return Verdict.FAILURE if is_ill else Verdict.NEUTRAL


def feedback_on(error: KitError) -> Feedback | None:
    """Return what a failed attempt says about our pace, None for nothing because it was never sent.

    A 503 with Retry-After is a rate limit by another name.
    """
    if isinstance(error, Refused | StoreUnavailable):
        return None
    if isinstance(error, HttpStatus):
        asks_to_wait = error.status == SERVICE_UNAVAILABLE and error.retry_after_s is not None
        if error.is_rate_limit or asks_to_wait:
            return Feedback.RATE_LIMIT
        return Feedback.ERROR if error.transient else Feedback.SUCCESS
    return Feedback.ERROR
