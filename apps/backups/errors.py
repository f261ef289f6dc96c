"""What this room fails with."""

from apps.core.errors import Broken, Invalid, NotFound, Transient


class NoSuchBackup(NotFound):
    """There is no such backup, or none that is complete."""

    code = "no-such-backup"
    category = "backups"


class UnknownKind(Invalid):
    """A backup is daily, weekly or monthly."""

    code = "unknown-backup-kind"
    public_message = "A backup is daily, weekly or monthly."


class DumpFailed(Transient):
    """A PostgreSQL program ended with an error; the message is the last thing that it said."""

    code = "dump-failed"
    category = "backups"


class CannotProve(Transient):
    """The backup could be neither proved nor refuted, because no scratch server could be had."""

    code = "cannot-prove-backup"
    category = "backups"


class BadBackup(Broken):
    """A real restore did not show what the backup says it holds: take a new one and look into the old."""

    code = "bad-backup"
    category = "backups"
