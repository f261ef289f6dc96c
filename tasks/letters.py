"""Letters: messages of paced tasks while they wait for their slots, and which of them are worth one.

What waits is text in Redis, so the mover believes none of it unread: a letter that could not be sent, or that no task takes,
is dropped and counted, and its neighbours go on. Nor is a letter worth a slot whose job has ended meanwhile. Its place goes
to the newest job of the same schedule where that took over, so a schedule with a short interval is not sent to the end
of the line by each of its ticks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from celery import Celery, current_app
from celery.utils import uuid

from apps.core import clock
from apps.core.headers import JOB, SENT_AT_S, SLOT
from apps.resilience import PaidSlot
from apps.resilience.paced import Ahead
from tasks.envelopes import DropReason, Unfit, check_letter
from tasks.queues import QUEUE_NAMES
from tasks.transport import count_dropped, shape_of_task

NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message that waits, with all that Celery is to be told when its time has come."""

    task: str
    id: str
    kwargs: Mapping[str, Any]
    queue: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    expires_at_s: float | None = None

    @property
    def has_expired(self) -> bool:
        """Whether nobody wants it any more."""
        return self.expires_at_s is not None and self.expires_at_s <= clock.now().timestamp()

    @property
    def job_id(self) -> str:
        """The job that it wakes; empty for a message without one."""
        return str(self.headers.get(JOB) or "")

    @property
    def name(self) -> str:
        """By what it waits once: its job, or its task and arguments."""
        said = f"job {self.job_id}" if self.job_id else f"{self.task} {json.dumps(self.kwargs, sort_keys=True)}"
        return said if len(said) <= NAME_LENGTH else f"{self.task} {sha256(said.encode()).hexdigest()}"

    def as_text(self) -> str:
        """Return it as JSON; `asdict` would copy everything in it first."""
        return json.dumps({name: getattr(self, name) for name in LETTER_FIELDS})

    def to_job(self, job_id: str) -> Letter:
        """Return a letter like this one that wakes another job."""
        return replace(self, id=uuid(), headers={**self.headers, JOB: job_id})

    def publish(self, slot: PaidSlot, producer: Any) -> None:
        """Send it, with the slot that is paid; past `DeskCelery.send_task`, which would let it wait again."""
        headers = {**self.headers, SLOT: slot.as_header(), SENT_AT_S: clock.now().timestamp()}
        options: dict[str, Any] = {"queue": self.queue} if self.queue else {}
        if self.expires_at_s is not None:
            options["expires"] = datetime.fromtimestamp(self.expires_at_s, tz=UTC)
        Celery.send_task(
            current_app, self.task, kwargs=dict(self.kwargs), task_id=self.id, headers=headers, producer=producer, **options
        )


LETTER_FIELDS = tuple(entry.name for entry in fields(Letter))


def read_letter(text: str) -> Letter | DropReason:
    """Return the letter that the text is, or why it is none."""
    _load_tasks()
    try:
        return Letter(**check_letter(text, shape_of=shape_of_task, queues=QUEUE_NAMES.names(), now=clock.now()))
    except Unfit as unfit:
        return unfit.reason


def drop_letter(source: str, text: str, reason: DropReason) -> None:
    """Count a text that is no letter, and tell how it began."""
    count_dropped(reason, queue=f"slots of {source}", start=text.encode(errors="backslashreplace"))


def jobs_of(letters: Sequence[Letter | DropReason]) -> list[str]:
    """Return the ids of the jobs that these letters wake."""
    return [letter.job_id for letter in letters if isinstance(letter, Letter) and letter.job_id]


def heir_of(letter: Letter | DropReason, wakes: Mapping[str, str]) -> Letter | None:
    """Return which letter belongs in this one's place: itself while it is wanted, another job's, or None.

    `wakes` says for each job which job its message is to wake: itself, or the one that took over from it.
    """
    if not isinstance(letter, Letter) or letter.has_expired:
        return None
    job_id = letter.job_id and wakes.get(letter.job_id)
    if job_id == letter.job_id:
        return letter
    return letter.to_job(job_id) if job_id else None


def heirs_of(letters: Mapping[str, Letter | DropReason], wakes: Mapping[str, str]) -> dict[str, Ahead | None]:
    """Return, by the names under which they wait, what is to be put in the place of letters that nobody wants any more."""
    heirs: dict[str, Ahead | None] = {}
    for name, letter in letters.items():
        heir = heir_of(letter, wakes)
        if heir is not letter:
            heirs[name] = Ahead(heir.name, heir.as_text()) if heir else None
    return heirs


@cache
def _load_tasks() -> None:
    """Let Celery know the tasks, if it does not yet: what they take decides which letters are fit."""
    current_app.loader.import_default_modules()
