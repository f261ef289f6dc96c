"""Messages as Celery 5.7 writes them through kombu, and ways to spoil them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def body(args=(), kwargs=None, embedded=None) -> str:
    empty = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    text = json.dumps([list(args), kwargs or {}, empty if embedded is None else embedded])
    return base64.b64encode(text.encode()).decode()


def envelope(task="tasks.ingest.catalogue", *, args=(), kwargs=None, embedded=None, headers=None, properties=None, **changes):
    """Return a message as a dict; `headers`, `properties` and `changes` spoil it."""
    made = {
        "body": body(args, {"source": "kalshi"} if kwargs is None else kwargs, embedded),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": task,
            "id": "4be3",
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": "4be3",
            "parent_id": None,
            "argsrepr": "()",
            "kwargsrepr": "{'source': 'kalshi'}",
            "origin": "gen1@host",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
            "sent_at_s": 1.0,
            **(headers or {}),
        },
        "properties": {
            "correlation_id": "4be3",
            "reply_to": "",
            "delivery_mode": 2,
            "priority": 0,
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "fetch"},
            "delivery_tag": "d00d",
            **(properties or {}),
        },
    }
    return made | changes


def raw(*args, **kwargs) -> bytes:
    return json.dumps(envelope(*args, **kwargs)).encode()
