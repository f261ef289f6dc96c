"""Events, seals and memberships may only grow; the list of what waits for a seal shrinks."""

from django.db import migrations

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_tables")]
    operations = [
        append_only("audit_event"),
        append_only("audit_seal"),
        append_only("audit_sealedevent"),
    ]
