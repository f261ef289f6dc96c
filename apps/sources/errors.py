"""How this room fails.

NotFound      UnknownSource     no vendor of that slug
              NotAtVendor       the vendor does not know what was asked for
Conflict      SourceClosed      the source is off or paused
              NotOffered        the vendor does not offer this kind of data
Expected      VendorRefused     the vendor will not talk to us (key, country, terms)
Denied        CostCapReached    what the analyst may cost today is used up
Transient     VendorAway        no answer, too many calls, breaker open
              QuotaSpent        a VendorAway: the vendor says in a good answer that we ask too often
              NobodyAnswered    no source of a chain gave anything
              BadAnswer         an answer that cannot be believed as a whole
              AnalysisUnderWay  the same question is being answered right now
Invalid       BadRow            one row of an answer that cannot be believed
Broken        CallInTransaction a call to the world while a transaction was open
"""

from __future__ import annotations

import hashlib

from apps.core.errors import Broken, Conflict, Denied, Expected, Invalid, NotFound, Transient

EXCERPT_LENGTH = 2_000
REASON_LENGTH = 300


class UnknownSource(NotFound):
    """There is no source of that slug; `registry.slugs()` lists them."""

    code = "unknown-source"
    category = "sources"


class NotAtVendor(NotFound):
    """The vendor does not know the thing that was asked for."""

    code = "not-at-vendor"
    category = "sources"


class SourceClosed(Conflict):
    """The source is off or paused; its row says why. Resume it to fetch again."""

    code = "source-closed"
    category = "sources"


class NotOffered(Conflict):
    """The vendor does not offer this kind of data."""

    code = "not-offered"
    category = "sources"


class VendorRefused(Expected):
    """The vendor refuses us: check the key, the terms, and where the desk runs."""

    code = "vendor-refused"
    category = "sources"


class VendorAway(Transient):
    """The vendor could not be reached or asked us to come later."""

    code = "vendor-away"
    category = "sources"


class QuotaSpent(VendorAway):
    """The vendor says under HTTP 200 that we ask too often: no bad data, but a rate limit by another name."""

    code = "quota-spent"


class NobodyAnswered(Transient):
    """No source of a chain gave anything, and nothing is remembered; the message names each failure."""

    code = "nobody-answered"
    category = "sources"


class BadAnswer(Transient):
    """The vendor's answer cannot be believed as a whole; nothing of it is stored.

    `excerpt` shows its beginning; `digest` is the SHA-256 of the whole `body` where that is known.
    """

    code = "bad-answer"
    category = "sources"

    def __init__(self, reason: str, *, excerpt: str = "", body: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason = reason[:REASON_LENGTH]
        self.excerpt = excerpt[:EXCERPT_LENGTH]
        self.digest = hashlib.sha256(body).hexdigest() if body else ""


class CostCapReached(Denied):
    """The analyst would cost more than ANALYST_COST_CAP allows for this day (UTC); nobody was asked."""

    code = "cost-cap-reached"
    category = "sources"  # type: ignore[assignment]  # most denials are of trades
    public_message = "The analyst's budget for today is used up."


class AnalysisUnderWay(Transient):
    """The same question was put to the analyst a moment ago and is not answered yet: come again for the answer."""

    code = "analysis-under-way"
    category = "sources"
    public_message = "The analysis is being made; ask again in a few seconds."


class BadRow(Invalid):
    """One row of an answer cannot be believed; `reason` names the field."""

    code = "bad-row"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:REASON_LENGTH]


class CallInTransaction(Broken):
    """A vendor was about to be called while a database transaction was open: move the call out of it."""

    code = "call-in-transaction"
    category = "sources"
