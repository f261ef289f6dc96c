"""Asking an analyst, never beyond the day's budget, never twice for the same question within five minutes.

The order of things: a kept answer that is young enough; else, in one transaction under a lock that all processes share,
the worst-case cost is reserved; then the call, outside of any transaction; then the bill. Two processes that stand before
the last cent reserve one after the other, and the second is denied.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.audit.services import record
from apps.core.db import durable, lock_for_transaction, transaction, transaction_required
from apps.core.errors import DeskError, Expected, Transient
from apps.resilience import Cached, CacheRule
from apps.sources import analyst, http
from apps.sources.billing import may_be_billed
from apps.sources.errors import AnalysisUnderWay, CostCapReached
from apps.sources.models import AnalystCall
from apps.sources.services.fetching import _fetch, _offered, _open_vendor
from apps.sources.types import Analysis, AnalysisQuestion, AnalysisRecord

KEPT = CacheRule(fresh_s=300.0, aged_s=3600.0, kept_s=86_400.0)
UNDER_WAY = timedelta(seconds=60)  # longer than a call's deadline: a reservation that is older lost its process
COME_AGAIN_S = 5.0
NOTHING = Decimal(0)


@durable
def analyse(
    *,
    question: str,
    outcome: str,
    background: str,
    closes_at: datetime,
    now: datetime,
    by: str,
    source: str = "openai",
    force: bool = False,
) -> Analysis:
    """Return an analyst's text and the probability of an outcome, made at most five minutes ago unless it says otherwise.

    `background` is what is known, public and plain. When a new answer cannot be had, the last one to the same question
    is returned, flagged, with its age and the reason. Raises CostCapReached, AnalysisUnderWay, and what fetches raise.
    """
    asked = AnalysisQuestion(
        question=question, outcome=outcome, background=background, closes_at=closes_at, model=settings.OPENAI_MODEL
    )
    key = f"analysis:{source}.{analyst.digest_of(asked)}"
    kept = http.peek(key, KEPT)
    if kept is not None and kept.age_s < KEPT.fresh_s and not force:
        return _from_cache(kept, reason="")
    try:
        return _ask(asked, key, source=source, now=now, by=by)
    except (Expected, Transient) as error:
        if kept is None:
            raise
        return _from_cache(kept, reason=f"{error.code}: {error}")


def _ask(asked: AnalysisQuestion, key: str, *, source: str, now: datetime, by: str) -> Analysis:
    """Reserve, ask, write the bill, keep the answer."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.analysis, "analysis")
    call_id = _reserve(asked, source=source, now=now, by=by)
    try:
        batch = _fetch(vendor, "analysis", lambda caller: feed(caller, asked), now=now, by=by)
    except DeskError as error:
        _note_failure(call_id, error, now=now, by=by)
        raise
    answer = batch.records[0]
    cost = _note_answer(call_id, answer, now=now, by=by)
    made_at = batch.fetched_at
    http.keep(key, _as_bytes(answer, made_at), KEPT)
    return Analysis(text=answer.text, probability=answer.probability, model=answer.model, made_at=made_at, age_s=0.0, cost=cost)


@transaction
def _reserve(asked: AnalysisQuestion, *, source: str, now: datetime, by: str) -> int:
    """Set the worst-case cost aside and return the call's number. Raises CostCapReached and AnalysisUnderWay."""
    lock_for_transaction(f"sources.analyst.{source}")
    digest, day = analyst.digest_of(asked), now.astimezone(UTC).date()
    calls = AnalystCall.objects.filter(source_id=source)
    if calls.filter(question_digest=digest, state="reserved", asked_at__gt=now - UNDER_WAY).exists():
        raise AnalysisUnderWay(f"{asked.question!r} was put to {source} a moment ago", retry_after_s=COME_AGAIN_S)
    worst = _cost(analyst.tokens_max(asked), analyst.COMPLETION_TOKENS_MAX)
    spent = _spent(calls.filter(day=day))
    if spent + worst > settings.ANALYST_COST_CAP:
        message = (
            f"{spent} US dollars are spent or set aside today, this call may cost {worst}, the cap is {settings.ANALYST_COST_CAP}"
        )
        raise CostCapReached(message, retry_after_s=_seconds_left(now))
    call = AnalystCall.objects.create(
        source_id=source, day=day, question_digest=digest, model=asked.model, reserved_cost=worst, by=by, asked_at=now
    )
    return call.id


@transaction
def _note_answer(call_id: int, answer: AnalysisRecord, *, now: datetime, by: str) -> Decimal:
    """Write the bill of an answer and return its cost."""
    cost = _cost(answer.prompt_tokens, answer.completion_tokens)
    AnalystCall.objects.filter(id=call_id).update(
        state="done", outcome="ok", cost=cost, prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens
    )
    _record(call_id, outcome="ok", cost=cost, now=now, by=by)
    return cost


@transaction
def _note_failure(call_id: int, error: DeskError, *, now: datetime, by: str) -> None:
    """Write the bill of a call that failed: nothing where certainly nothing is owed, else the worst case."""
    call = AnalystCall.objects.get(id=call_id)
    cost = call.reserved_cost if may_be_billed(error) else NOTHING
    AnalystCall.objects.filter(id=call_id).update(state="failed", outcome=error.code, cost=cost)
    _record(call_id, outcome=error.code, cost=cost, now=now, by=by)


@transaction_required
def _record(call_id: int, *, outcome: str, cost: Decimal, now: datetime, by: str) -> None:
    detail = {"call": call_id, "outcome": outcome, "cost": str(cost)}
    record(action="analyst.asked", subject=f"analyst-call {call_id}", by=by, now=now, detail=detail)


def _spent(calls: QuerySet[AnalystCall]) -> Decimal:
    """Return what these calls cost, those without a bill yet at what was set aside for them."""
    return calls.aggregate(sum=Sum(Coalesce("cost", "reserved_cost")))["sum"] or NOTHING


def _cost(prompt_tokens: int, completion_tokens: int) -> Decimal:
    return analyst.cost_of(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        price_in=settings.ANALYST_PRICE_IN,
        price_out=settings.ANALYST_PRICE_OUT,
    )


def _seconds_left(now: datetime) -> float:
    """Return the seconds until the next day (UTC) brings a new budget."""
    midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
    return (midnight - now).total_seconds()


def _as_bytes(answer: AnalysisRecord, made_at: datetime) -> bytes:
    kept = {"text": answer.text, "probability": str(answer.probability), "model": answer.model, "made_at": made_at.isoformat()}
    return json.dumps(kept).encode()


def _from_cache(cached: Cached, *, reason: str) -> Analysis:
    """Return the answer that was kept; with a reason it stands in for a new one and is flagged."""
    kept = json.loads(cached.value)
    return Analysis(
        text=kept["text"],
        probability=Decimal(kept["probability"]),
        model=kept["model"],
        made_at=datetime.fromisoformat(kept["made_at"]),
        age_s=cached.age_s,
        cost=NOTHING,
        is_stale=bool(reason),
        reason=reason,
    )
