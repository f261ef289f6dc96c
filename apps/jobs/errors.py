"""How this room says no."""

from apps.core.errors import Broken, Conflict, Invalid, NotFound, Transient


class JobNotFound(NotFound):
    """There is no job with this id."""

    code = "job-not-found"
    category = "queue"


class JobNotParked(Conflict):
    """Only parked jobs are replayed or discarded; this one was dealt with already."""

    code = "job-not-parked"
    category = "queue"
    public_message = "This job is not parked."


class WrongJob(Invalid):
    """The job cannot be written down as it is; `field` names the part."""

    code = "wrong-job"


class WrongSchedule(Invalid):
    """The schedule's terms make no sense; `field` names the part."""

    code = "wrong-schedule"


class ScheduleNotFound(NotFound):
    """There is no schedule of this name."""

    code = "schedule-not-found"
    category = "queue"


class IllegalMove(Broken):
    """A job was about to move against its state machine."""

    code = "illegal-job-move"
    category = "queue"


class Unfinished(Transient):
    """A part of the work is done and kept, and the rest waits for its slot: the job gives its worker back until then."""

    code = "unfinished"
    category = "queue"
