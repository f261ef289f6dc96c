"""The desk's Celery application as Flower sees it: on kombu's own transport.

Flower tells brokers apart by their address and would not know ours; and it takes no work, so it needs no door.
"""

from __future__ import annotations

from project.celery import app

app.conf.broker_transport = None

__all__ = ["app"]
