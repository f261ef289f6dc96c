"""The table of quotes: partitioned by the day of `received_at`, so that old days go without a DELETE.

No default partition; `apps/markets/partitions.py` makes the days.
"""

from django.db import migrations

MAKE = """
CREATE SEQUENCE markets_quote_id_seq AS bigint CACHE 1;
CREATE TABLE markets_quote (
    id bigint NOT NULL DEFAULT nextval('markets_quote_id_seq'),
    outcome_id varchar(40) NOT NULL,
    bid numeric(24, 10),
    ask numeric(24, 10),
    bids jsonb NOT NULL,
    asks jsonb NOT NULL,
    venue varchar(30) NOT NULL,
    vendor_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    digest varchar(64) NOT NULL,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE markets_quote_id_seq OWNED BY markets_quote.id;
CREATE INDEX markets_quote_newest ON markets_quote (outcome_id, received_at DESC);
"""


class Migration(migrations.Migration):
    """Make the parent; dropping it takes its partitions along."""

    dependencies = [("markets", "0001_tables")]

    operations = [migrations.RunSQL(sql=MAKE, reverse_sql="DROP TABLE IF EXISTS markets_quote;")]
