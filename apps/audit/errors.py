"""What this room fails with."""

from apps.core.errors import Broken, Invalid


class SecretInDetail(Broken):
    """A detail names something that looks like a secret: leave it out, the audit log is read by many and never edited."""

    code = "secret-in-detail"
    category = "audit"


class UnfitDetail(Broken):
    """A detail holds a value that has no fixed JSON form: pass text, whole numbers, decimals, moments, lists or mappings."""

    code = "unfit-detail"
    category = "audit"


class UnreadableAnchor(Invalid):
    """An anchor does not have the form in which `verify_audit --export` writes it."""

    code = "unreadable-anchor"
    public_message = "The anchor cannot be read."
