"""From a chat completion to an analysis."""

from __future__ import annotations

from decimal import Decimal

from apps.sources.errors import VendorAway, VendorRefused
from apps.sources.ports import Caller, Gathered
from apps.sources.types import AnalysisQuestion, AnalysisRecord
from apps.sources.vendors.openai import client, wire

PROBABILITY_STEP = Decimal("0.000001")


async def analysis(caller: Caller, question: AnalysisQuestion) -> Gathered[AnalysisRecord]:
    """Have one question analysed. Raises VendorAway, VendorRefused, BadAnswer."""
    try:
        reply = await client.completion(caller, question)
    except VendorAway as error:
        if wire.is_out_of_credit(error.__cause__):
            raise VendorRefused("openai: the account has no credit left (insufficient_quota)") from error
        raise
    answer = wire.read_completion(reply.body)
    record = AnalysisRecord(
        text=answer.text,
        probability=answer.probability.quantize(PROBABILITY_STEP),
        model=answer.model,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )
    return Gathered(records=(record,))
