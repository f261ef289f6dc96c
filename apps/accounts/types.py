"""What crosses the threshold of this room."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StaffUser:
    """A staff user; `password` is there only when it was made just now."""

    username: str
    password: str | None
