"""The address and body of a chat completion; the key goes into a header."""

from __future__ import annotations

from apps.sources.analyst import COMPLETION_TOKENS_MAX, INSTRUCTIONS, SCHEMA, material_of
from apps.sources.ports import Caller, Reply
from apps.sources.types import AnalysisQuestion


async def completion(caller: Caller, question: AnalysisQuestion) -> Reply:
    """Ask for one analysis in the form of the schema. Never repeated by itself: each answer is paid for."""
    body = {
        "model": question.model,
        "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": material_of(question)}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "analysis", "strict": True, "schema": SCHEMA}},
        "max_completion_tokens": COMPLETION_TOKENS_MAX,
        "n": 1,
    }
    return await caller.post("/chat/completions", body, repeatable=False)


async def models(caller: Caller) -> Reply:
    """Ask which models the key may use."""
    return await caller.get("/models")
