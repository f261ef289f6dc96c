"""Why the recorded world does not start."""

from __future__ import annotations


class WorldRefused(Exception):
    """The world cannot be played as asked; the message is one plain line for the person who asked."""
