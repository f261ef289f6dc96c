"""The room's verbs: write work down, claim it, end it, take it back from the dead, and let go of what is old."""

from apps.jobs.services.claiming import claim, claim_batch
from apps.jobs.services.dead_letters import discard, replay
from apps.jobs.services.editing import edit_schedule
from apps.jobs.services.ending import fail, finish, finish_batch, postpone
from apps.jobs.services.enqueuing import enqueue, enqueue_many
from apps.jobs.services.forgetting import forget
from apps.jobs.services.giving_back import enqueue_absent, give_back
from apps.jobs.services.holding import check, note_progress, renew, renew_batch
from apps.jobs.services.losing import lose
from apps.jobs.services.reconciling import reconcile
from apps.jobs.services.scheduling import adopt_schedules, forget_ticks, take_slots

__all__ = [
    "adopt_schedules",
    "check",
    "claim",
    "claim_batch",
    "discard",
    "edit_schedule",
    "enqueue",
    "enqueue_absent",
    "enqueue_many",
    "fail",
    "finish",
    "finish_batch",
    "forget",
    "forget_ticks",
    "give_back",
    "lose",
    "note_progress",
    "postpone",
    "reconcile",
    "renew",
    "renew_batch",
    "replay",
    "take_slots",
]
