"""Wiring: settings, Celery, URLs, and the local machine room."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
