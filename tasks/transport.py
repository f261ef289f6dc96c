"""The broker's transport with a door: a raw message that is not fit is dropped and counted before Celery unpacks it.

Celery's own transport lets an exception of an unreadable message end the worker's loop, and gives the message back.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import structlog
from celery import current_app
from kombu.transport import redis as stock
from kombu.utils.json import dumps
from prometheus_client import Counter
from redis import exceptions as redis_errors
from redis.sentinel import Sentinel

from apps.core import clock, headers
from tasks.envelopes import Unfit, check_broadcast, check_message, check_unanswered
from tasks.queues import FIRST_LANE, QUEUE_NAMES
from tasks.shapes import Shape, shape_of

log = structlog.get_logger(__name__)

DROPPED = Counter(
    "messages_dropped_total", "Messages that were dropped because no part of the desk can have sent them.", ["reason"]
)
OUR_QUEUES = frozenset(name.encode() for name in QUEUE_NAMES.names())
PRIORITY_MARK = stock.Channel.sep.encode()
CELERYS_OWN = "celery."  # canvas and clean-up tasks that the desk never sends
SHOWN_BYTES = 200


def count_dropped(reason: str, *, queue: str = "", start: bytes = b"", **more: str) -> None:
    """Count a message that was dropped and say so in the log, with how it began."""
    DROPPED.labels(reason=reason).inc()
    log.warning("message_dropped", reason=reason, queue=queue, start=repr(start[:SHOWN_BYTES]), **more)


class CheckedRedis(stock.PrefixedStrictRedis):
    """kombu's client; what it pops from one of our queues is looked at."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Return the server's answer; a popped message that is unfit looks like an empty queue."""
        answer = super().parse_response(connection, command_name, **options)
        if command_name != "BRPOP" or not answer:
            return answer
        return answer if _is_fit(*answer) else None

    def pubsub(self, **options: Any) -> CheckedPubSub:
        """Return the listener for messages to all workers."""
        return CheckedPubSub(self.connection_pool, global_keyprefix=self.global_keyprefix, **options)


class CheckedPubSub(stock.PrefixedRedisPubSub):
    """kombu's listener; what was broadcast is looked at."""

    def parse_response(self, *args: Any, **options: Any) -> Any:
        """Return what came; a broadcast that is unfit looks like nothing."""
        answer = super().parse_response(*args, **options)
        if not answer or answer[0] not in (b"message", b"pmessage"):
            return answer
        try:
            check_broadcast(answer[-1])
        except Unfit as unfit:
            count_dropped(unfit.reason, queue="broadcast", start=answer[-1])
            return None
        return answer


class CheckedQoS(stock.QoS):
    """kombu's book of messages that a worker took and did not answer; what goes back to its queue is looked at."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put the message back, or drop an entry that is unfit: kombu stops at it, each time, and restores none behind it."""
        with self.channel.conn_or_acquire(client) as server:  # type: ignore[attr-defined]  # the stub knows no Redis channel
            kept = server.hget(self.unacked_key, tag)
            try:
                if kept is not None:
                    check_unanswered(kept)
            except Unfit as unfit:
                if any(self._remove_from_indices(tag, server.pipeline()).execute()):  # type: ignore[attr-defined]
                    count_dropped(unfit.reason, queue="unacked", start=kept)
            else:
                super().restore_by_tag(tag, server, leftmost)


class CheckedChannel(stock.Channel):
    """kombu's channel with our client, made once: kombu makes one for every command, at 0.1 ms of CPU, three for a message."""

    QoS = CheckedQoS
    _kept_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept_client is None or self._kept_client.connection_pool is not self.pool:
            self._kept_client = super()._create_client()  # type: ignore[misc]
        return self._kept_client

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[misc]  # refuses a redis-py that is too old
        return partial(CheckedRedis, global_keyprefix=self.global_keyprefix)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # When a broker dies while a message is in hand, Celery closes the channel once more after its connection, and ends the
        # worker at the AttributeError of kombu that follows. It bears an error of the connection.
        if getattr(self.connection, "client", None) is None:
            raise redis_errors.ConnectionError("the channel's connection is closed")
        return dict(super()._connparams(asynchronous))  # type: ignore[misc]

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        """Put a message behind the others of its queue, or of those that go first when it says so.

        Those keep their order too: each put before the others, the oldest would come last for as long as there are new ones.
        """
        batch = options.get("_publish_batch")
        if batch is not None or not (message.get("headers") or {}).get(headers.FIRST):
            super()._put(queue, message, **options)
            return
        with self.conn_or_acquire() as client:
            client.lpush(self._q_for_pri(queue, FIRST_LANE), dumps(message))  # type: ignore[attr-defined]


class CheckedTransport(stock.Transport):
    """The transport for `redis://` and `rediss://`."""

    Channel = CheckedChannel


class CheckedSentinelChannel(CheckedChannel, stock.SentinelChannel):
    """The channel of the server that the Sentinels of the option `sentinels` name.

    kombu reads them from a list of broker addresses, but at the first failure it goes on with the next of these and with the
    transport of that address: its own, without our door.
    """

    from_transport_options = (*stock.SentinelChannel.from_transport_options, "sentinels")
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_kwargs: dict[str, Any] | None = None
    master_name: str

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        found = self._connparams(asynchronous)
        options = {name: value for name, value in found.items() if name not in ("host", "port")}
        manager = Sentinel(self.sentinels, sentinel_kwargs=self.sentinel_kwargs, **options)  # type: ignore[no-untyped-call]
        setattr(self, "_async_sentinel_manager" if asynchronous else "_sentinel_manager", manager)  # kombu closes it
        return manager.master_for(self.master_name).connection_pool  # type: ignore[no-untyped-call]


class CheckedSentinelTransport(stock.SentinelTransport):
    """The transport for `sentinel://`."""

    Channel = CheckedSentinelChannel


def _is_fit(key: bytes, raw: bytes) -> bool:
    queue = key.split(PRIORITY_MARK, 1)[0]
    if queue not in OUR_QUEUES:
        return True  # an answer to a remote control command; its reader is a person's tool
    try:
        check_message(raw, shape_of=shape_of_task, now=clock.now())
    except Unfit as unfit:
        count_dropped(unfit.reason, queue=queue.decode(), start=raw)
        return False
    return True


def shape_of_task(name: str) -> Shape | None:
    """Return what the registered task `name` takes, or None when there is no such task."""
    task = None if name.startswith(CELERYS_OWN) else current_app.tasks.get(name)
    return None if task is None else _shape(task)


@cache
def _shape(task: Any) -> Shape:
    limits = (task.time_limit, task.soft_time_limit)
    # The bell of a batch task carries nothing: what its body takes are rows.
    return Shape(time_limits=limits) if getattr(task, "batch_size", 0) else shape_of(task.run, time_limits=limits)
