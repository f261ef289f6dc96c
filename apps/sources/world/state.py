"""The place of the world on disk, so that a restart continues where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path

from apps.sources.world.errors import WorldRefused
from apps.sources.world.timeline import Place


class StateUnreadable(WorldRefused):
    """The state file is there but is not one of ours; delete it to begin anew."""


def read_place(path: Path) -> Place | None:
    """Read the place, None when there is no file. Raises StateUnreadable."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Place(
            anchor_real_s=float(saved["anchor_real"]),
            position_ms=int(saved["position"]),
            speed=float(saved["speed"]),
            saved_real_s=float(saved["saved_real"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnreadable(f"{path} is not a state file of the recorded world; delete it to begin anew") from error


def write_place(path: Path, place: Place) -> None:
    """Write the place in one step: a reader sees the old file or the new one, never half."""
    saved = {
        "anchor_real": place.anchor_real_s,
        "position": place.position_ms,
        "speed": place.speed,
        "saved_real": place.saved_real_s,
    }
    write_whole(path, json.dumps(saved))


def write_whole(path: Path, text: str) -> None:
    """Replace a file atomically."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
