"""Running what may fail where a failure must neither crash the caller nor go unheard.

`classify` says in one of seven words what went wrong; `safe_execute` runs a function, tells of its failure with
context, and returns the fall-back. What ends a program or a task (KeyboardInterrupt, SystemExit, CancelledError)
always passes through.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from apps.resilience.errors import BadBody, BodyTooLarge, HttpStatus, KitError, PaceExceeded, TimedOut
from apps.resilience.hooks import FailureHandled

T = TypeVar("T")
Tell = Callable[[FailureHandled], None]
logger = logging.getLogger(__name__)

CAUSES_MAX = 20  # of a chain of causes; also ends one that bites its own tail
MESSAGE_LENGTH = 500
MASK = "***"
SECRET_NAME = re.compile(r"key|token|secret|passw|authorization|cookie|credential", re.IGNORECASE)
# What stands after such a name in a message: `?apikey=abc`, `token: abc`, `Authorization: Bearer abc`.
SECRET_IN_TEXT = re.compile(
    r"([\w-]*(?:key|token|secret|passw|authorization|cookie|credential)[\w-]*[\"']?\s*[=:]\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s&\"',;]+",
    re.IGNORECASE,
)
SECRET_IN_URL = re.compile(r"(\w+://)[^/\s@]+@")
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Other libraries' errors are known by the names of their classes, so that the kit need not import the libraries.
TIMEOUT_NAMES = re.compile(r"(Timeout|TimeoutError|TimeLimitExceeded)$")
CONNECTION_NAMES = re.compile(
    r"(ConnectionError|ConnectError|ClientOSError|ServerDisconnectedError|InterfaceError|gaierror|herror|SSLError)$"
)
NETWORK_ERRNOS = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.EADDRNOTAVAIL}
)


class Kind(StrEnum):
    """What went wrong."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MEMORY = "memory"
    DISK_FULL = "disk_full"
    INVALID_DATA = "invalid_data"
    MISSING_KEY = "missing_key"
    UNEXPECTED = "unexpected"


DECISIVE = frozenset({Kind.MEMORY, Kind.DISK_FULL})  # these explain whatever they caused


def classify(error: BaseException) -> Kind:
    """Return what went wrong, from the error or, when it says nothing itself, from its causes.

    A full memory or disk anywhere in the chain of causes decides; otherwise the outermost error that can be told. Of
    an exception group the members count in order.
    """
    kinds = [kind for link in _chain(error) if (kind := _kind_of(link)) is not Kind.UNEXPECTED]
    return next((kind for kind in kinds if kind in DECISIVE), kinds[0] if kinds else Kind.UNEXPECTED)


def masked(context: Mapping[str, object]) -> dict[str, object]:
    """Return the context with the values of secret names (keys, tokens, passwords…) blotted out, nested ones too."""
    return {name: MASK if SECRET_NAME.search(str(name)) else _masked_value(value) for name, value in context.items()}


def message_of(error: BaseException) -> str:
    """Return the error's message, shortened, without the secrets that URLs and headers in it may carry."""
    try:
        text = str(error)
    except Exception as second:  # noqa: BLE001  # a message that cannot be made must not hide the error
        text = f"(its message failed with {type(second).__name__})"
    text = SECRET_IN_TEXT.sub(rf"\g<1>{MASK}", text)
    return SECRET_IN_URL.sub(rf"\g<1>{MASK}@", text)[:MESSAGE_LENGTH]


def write_log(failure: FailureHandled) -> None:
    """Write a failure into Python's log; one that nobody expected as an error, the others as warnings."""
    level = logging.ERROR if failure.kind == Kind.UNEXPECTED else logging.WARNING
    told = (failure.operation, failure.kind, failure.error, failure.message, failure.where, failure.context)
    logger.log(level, "%s failed (%s): %s: %s at %s %s", *told, extra={"failure": failure})


def safe_execute(
    f: Callable[..., T],
    *args: object,
    fallback: T | Callable[[], T] | None = None,
    operation: str = "",
    context: Mapping[str, object] | None = None,
    log: Tell = write_log,
    **kwargs: object,
) -> T | None:
    """Run `f(*args, **kwargs)` and return its result, or the fall-back after telling `log` of the failure.

    `fallback` is a value, or a function that makes one; should that fail as well it is told too, and None is returned.
    `operation` names the work (the function's name by default); `context` says what it was about, secrets masked.
    """
    name = operation or _name_of(f)
    try:
        return f(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told of and answered with the fall-back
        _tell(log, name, error, context)
    return _fallen_back(fallback, name, context, log)


async def safe_execute_async(
    f: Callable[..., Awaitable[T]],
    *args: object,
    fallback: T | Callable[[], T] | None = None,
    operation: str = "",
    context: Mapping[str, object] | None = None,
    log: Tell = write_log,
    **kwargs: object,
) -> T | None:
    """Await `f(*args, **kwargs)` and return its result, or the fall-back after telling `log`; as `safe_execute`."""
    name = operation or _name_of(f)
    try:
        return await f(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told of and answered with the fall-back
        _tell(log, name, error, context)
    return _fallen_back(fallback, name, context, log)


def _fallen_back(fallback: T | Callable[[], T] | None, name: str, context: Mapping[str, object] | None, log: Tell) -> T | None:
    if not callable(fallback):
        return fallback
    try:
        return fallback()
    except Exception as error:  # noqa: BLE001  # the last line of defence; it is told of as well
        _tell(log, f"the fall-back of {name}", error, context)
        return None


def _tell(log: Tell, operation: str, error: Exception, context: Mapping[str, object] | None) -> None:
    """Tell of a failure; when the teller itself fails, Python's log is told of both."""
    failure = FailureHandled(
        operation=operation,
        kind=classify(error).value,
        error=type(error).__name__,
        message=message_of(error),
        where=_place_of(error),
        context=masked(context or {}),
    )
    try:
        log(failure)
    except Exception as second:  # noqa: BLE001  # a broken log must not become the caller's crash
        write_log(failure)
        logger.error("telling of it failed: %s", type(second).__name__)  # noqa: TRY400  # the first error is the news


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then its causes outermost first; the members of a group come after the group."""
    waiting: list[BaseException] = [error]
    for _ in range(CAUSES_MAX):
        if not waiting:
            return
        link = waiting.pop(0)
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if cause is not None:
            waiting.append(cause)


def _kind_of(error: BaseException) -> Kind:
    if isinstance(error, KitError):
        return _kind_of_ours(error)
    if isinstance(error, MemoryError):
        return Kind.MEMORY
    if isinstance(error, OSError):
        return Kind.DISK_FULL if error.errno in DISK_FULL else _kind_of_distance(error)
    if isinstance(error, KeyError | IndexError):
        return Kind.MISSING_KEY
    if isinstance(error, ValueError | ArithmeticError):
        return Kind.INVALID_DATA
    return _kind_of_distance(error)


def _kind_of_ours(error: KitError) -> Kind:
    """Of the kit's errors: what is transient is the other side's absence, except for what ran out of time."""
    if isinstance(error, TimedOut | PaceExceeded):
        return Kind.TIMEOUT
    if isinstance(error, BadBody | BodyTooLarge):
        return Kind.INVALID_DATA
    if isinstance(error, HttpStatus) and not error.transient:
        return Kind.UNEXPECTED
    return Kind.CONNECTION if error.transient else Kind.UNEXPECTED


def _kind_of_distance(error: BaseException) -> Kind:
    """Tell time-outs and broken connections, of Python and of any library; a file that is missing is neither."""
    names = [cls.__name__ for cls in type(error).__mro__]
    if any(TIMEOUT_NAMES.search(name) for name in names):
        return Kind.TIMEOUT
    if any(CONNECTION_NAMES.search(name) for name in names):
        return Kind.CONNECTION
    return Kind.CONNECTION if isinstance(error, OSError) and error.errno in NETWORK_ERRNOS else Kind.UNEXPECTED


def _masked_value(value: object) -> object:
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list | tuple):
        return [_masked_value(item) for item in value]
    return value


def _place_of(error: BaseException) -> str:
    """Return file and line of where the error was raised. (A whole traceback would show messages with their secrets.)"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _name_of(f: object) -> str:
    return str(getattr(f, "__qualname__", None) or type(f).__name__)
