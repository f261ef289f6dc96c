"""The law of the book, kept by the database: whoever writes, and by whatever way, cannot unbalance it."""

from django.db import migrations

from apps.core.triggers import append_only

ENTRY_RULE = """
SET LOCAL lock_timeout = '5s';
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked_id text := to_jsonb(NEW) ->> TG_ARGV[0];
    fault text;
BEGIN
    SELECT CASE
            WHEN count(p.id) <> e.line_count THEN format('it has %s postings, not %s', count(p.id), e.line_count)
            WHEN sum(p.amount_minor) <> 0 THEN format('its postings sum to %s', sum(p.amount_minor))
            WHEN count(DISTINCT a.currency) <> 1 THEN 'its postings mix currencies'
            WHEN bool_or(a.tenant_id <> e.tenant_id) THEN 'it touches an account of another tenant'
        END
        INTO fault
        FROM ledger_entry e
        LEFT JOIN ledger_posting p ON p.entry_id = e.id
        LEFT JOIN ledger_account a ON a.id = p.account_id
        WHERE e.id = checked_id
        GROUP BY e.id;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'entry % refused: %', checked_id, fault USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entry_is_balanced AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry('id');
CREATE CONSTRAINT TRIGGER ledger_posting_is_balanced AFTER INSERT ON ledger_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry('entry_id');
"""
UNDO_ENTRY_RULE = """
DROP TRIGGER IF EXISTS ledger_entry_is_balanced ON ledger_entry;
DROP TRIGGER IF EXISTS ledger_posting_is_balanced ON ledger_posting;
DROP FUNCTION IF EXISTS ledger_check_entry();
"""

LASTING_RULES = """
SET LOCAL lock_timeout = '5s';
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% refused on %: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_account_stays_itself BEFORE UPDATE ON ledger_account FOR EACH ROW
    WHEN ((OLD.id, OLD.tenant_id, OLD.code, OLD.kind, OLD.currency, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.tenant_id, NEW.code, NEW.kind, NEW.currency, NEW.created_at))
    EXECUTE FUNCTION ledger_refuse('tenant, code, kind and currency of an account never change');
CREATE TRIGGER ledger_account_stays BEFORE DELETE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse('an account stays');
CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse('an account stays');
CREATE TRIGGER ledger_hold_stays_itself BEFORE UPDATE ON ledger_hold FOR EACH ROW
    WHEN ((OLD.id, OLD.account_id, OLD.reference, OLD.amount_minor, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.account_id, NEW.reference, NEW.amount_minor, NEW.created_at))
    EXECUTE FUNCTION ledger_refuse('account, reference and amount of a hold never change');
CREATE TRIGGER ledger_hold_ends_once BEFORE UPDATE ON ledger_hold FOR EACH ROW
    WHEN (OLD.state <> 'open')
    EXECUTE FUNCTION ledger_refuse('a hold ends once, from open to captured or voided');
CREATE TRIGGER ledger_hold_begins_open BEFORE INSERT ON ledger_hold FOR EACH ROW
    WHEN (NEW.state <> 'open')
    EXECUTE FUNCTION ledger_refuse('a hold begins open');
CREATE TRIGGER ledger_hold_stays BEFORE DELETE ON ledger_hold
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse('a hold stays');
CREATE TRIGGER ledger_hold_no_truncate BEFORE TRUNCATE ON ledger_hold
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse('a hold stays');
"""
UNDO_LASTING_RULES = """
DROP TRIGGER IF EXISTS ledger_account_stays_itself ON ledger_account;
DROP TRIGGER IF EXISTS ledger_account_stays ON ledger_account;
DROP TRIGGER IF EXISTS ledger_account_no_truncate ON ledger_account;
DROP TRIGGER IF EXISTS ledger_hold_stays_itself ON ledger_hold;
DROP TRIGGER IF EXISTS ledger_hold_ends_once ON ledger_hold;
DROP TRIGGER IF EXISTS ledger_hold_begins_open ON ledger_hold;
DROP TRIGGER IF EXISTS ledger_hold_stays ON ledger_hold;
DROP TRIGGER IF EXISTS ledger_hold_no_truncate ON ledger_hold;
DROP FUNCTION IF EXISTS ledger_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_tables")]
    operations = [
        append_only("ledger_entry"),
        append_only("ledger_posting"),
        migrations.RunSQL(ENTRY_RULE, UNDO_ENTRY_RULE),
        migrations.RunSQL(LASTING_RULES, UNDO_LASTING_RULES),
    ]
