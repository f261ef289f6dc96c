"""A chat completion as it is on the wire, read strictly.

Built from the public interface description (https://platform.openai.com/docs/api-reference/chat); no recording was at
hand. Its habits: what the schema asked for comes as JSON inside the text `content`; a model that will not answer says so in
`refusal` and leaves `content` null; an answer that ran out of tokens ends with `finish_reason` "length" and is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.resilience import HttpStatus
from apps.sources.analyst import TEXT_LENGTH_MAX
from apps.sources.errors import BadAnswer, BadRow
from apps.sources.plain_text import plain
from apps.sources.strict import Row, as_mapping, excerpt_of, parse_json

FINISHED = "stop"
OUT_OF_CREDIT = b"insufficient_quota"
TOKENS_MAX = Decimal(10) ** 8
FIELDS = {"analysis", "probability"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCompletion:
    """One answer with its bill."""

    text: str
    probability: Decimal
    model: str
    prompt_tokens: int
    completion_tokens: int


def read_completion(body: bytes) -> WireCompletion:
    """Read an answer. Raises BadAnswer for a refusal, a cut answer, and one that does not fit the schema."""
    value = parse_json(body)
    try:
        answer = Row(value)
        usage = answer.row("usage")
        content = _content(answer)
        return WireCompletion(
            text=_analysis(content),
            probability=content.number("probability", low=Decimal(0), high=Decimal(1)),
            model=answer.text("model", length_max=200),
            prompt_tokens=int(usage.number("prompt_tokens", low=Decimal(0), high=TOKENS_MAX)),
            completion_tokens=int(usage.number("completion_tokens", low=Decimal(0), high=TOKENS_MAX)),
        )
    except BadRow as error:
        raise BadAnswer(f"the analysis is not believable: {error.reason}", excerpt=excerpt_of(body)) from error


def is_out_of_credit(error: BaseException | None) -> bool:
    """Return whether a 429 says that the account is used up, which no waiting changes, and not that we come too often."""
    return isinstance(error, HttpStatus) and error.is_rate_limit and OUT_OF_CREDIT in error.body


def count_models(body: bytes) -> int:
    """Return how many models the list names. Raises BadAnswer."""
    listed = as_mapping(parse_json(body), what="the list of models").get("data")
    if not isinstance(listed, list):
        raise BadAnswer("the list of models has no data", excerpt=excerpt_of(body))
    return len(listed)


def _content(answer: Row) -> Row:
    """Return what stands in the text of the one choice. Raises BadRow."""
    choice = Row(_only(answer.items("choices")))
    message = choice.row("message")
    if message.has("refusal"):
        raise BadRow(f"the model refuses: {message.text('refusal', length_max=20_000)[:200]}")
    finish = choice.text("finish_reason", length_max=40)
    if finish != FINISHED:
        raise BadRow(f"finish_reason is {finish}: the answer is not whole")
    return Row(_parsed(message.text("content", length_max=50_000)))


def _only(choices: Sequence[object]) -> object:
    if len(choices) != 1:
        raise BadRow(f"{len(choices)} choices instead of one")
    return choices[0]


def _parsed(text: str) -> object:
    try:
        value = parse_json(text.encode())
    except BadAnswer:
        raise BadRow("content is not JSON") from None
    if not isinstance(value, dict) or set(value) != FIELDS:
        raise BadRow("content does not fit the schema")
    return value


def _analysis(content: Row) -> str:
    text = plain(content.text("analysis", length_max=50_000), TEXT_LENGTH_MAX)
    if not text:
        raise BadRow("analysis is empty")
    return text
