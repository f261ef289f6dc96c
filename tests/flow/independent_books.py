"""Recompute the desk's final balances from its fills and the true outcomes, without a line of the desk's own code.

Reads the tables by SQL; the truth comes from the package that ships the recording, not from what the desk was told.
Run: python tests/flow/independent_books.py postgres://…   (prints JSON; exit 0 when all agrees, else 1)
"""

from __future__ import annotations

import json
import sys
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from resolvedkit.data.sample import load_sample

MINOR_PER_UNIT = Decimal(10) ** 6

FILLS = """
    SELECT t.slug || '/' || p.kind AS portfolio, o.id AS order_id, o.side, m.source_key AS market, c.label AS outcome,
           f.units, f.price, f.notional_minor, f.fee_minor
    FROM trading_fill f JOIN trading_order o ON o.id = f.order_id JOIN portfolio_portfolio p ON p.id = o.portfolio_id
    JOIN tenants_tenant t ON t.id = o.tenant_id JOIN markets_market m ON m.id = o.market_id JOIN markets_outcome c ON c.id = o.outcome_id
"""
CASH = """
    SELECT t.slug || '/' || split_part(a.code, ':', 1) AS portfolio, a.balance_minor, a.held_minor,
           coalesce((SELECT sum(amount_minor) FROM ledger_posting x WHERE x.account_id = a.id), 0) AS posted_minor,
           coalesce((SELECT sum(x.amount_minor) FROM ledger_posting x JOIN ledger_account y ON y.id = x.account_id
                     WHERE y.tenant_id = a.tenant_id AND y.code = split_part(a.code, ':', 1) || ':capital'), 0) AS capital_minor
    FROM ledger_account a JOIN tenants_tenant t ON t.id = a.tenant_id WHERE a.code LIKE '%:cash'
"""
IN_FORCE = """
    SELECT m.source_key AS market, count(*) AS settlements FROM settlement_settlement s JOIN markets_market m ON m.id = s.market_id
    WHERE s.reversed_at IS NULL GROUP BY 1
"""
DOUBLE = {
    "orders with more than one fill of the same venue id": "SELECT order_id FROM trading_fill GROUP BY order_id, venue_fill_id HAVING count(*) > 1",
    "shadow markets with more than one live order": """
        SELECT o.market_id FROM trading_order o JOIN portfolio_portfolio p ON p.id = o.portfolio_id
        WHERE p.kind = 'shadow' AND o.state IN ('filled', 'partly_filled') GROUP BY o.tenant_id, o.market_id HAVING count(*) > 1""",
    "entries booked twice": "SELECT reference FROM ledger_entry GROUP BY tenant_id, reference HAVING count(*) > 1",
    "entries out of balance": "SELECT entry_id FROM ledger_posting GROUP BY entry_id HAVING sum(amount_minor) <> 0",
    "holds still open": "SELECT id FROM ledger_hold WHERE state = 'open'",
    "positions still open on resolved recorded markets": """
        SELECT p.id FROM portfolio_position p JOIN markets_market m ON m.id = p.market_id
        WHERE p.state = 'open' AND m.source = 'polymarket_gamma' AND m.state = 'resolved'""",
}


def true_payouts() -> dict[str, dict[str, Decimal]]:
    """Return, for every recorded market, what one unit of each outcome paid."""
    return {
        market.market_id: {label: Decimal(str(payout)) for label, payout in zip(market.outcomes, market.payout, strict=True)}
        for market in load_sample().markets()
    }


def expected_cash_minor(capital_minor: int, fills: list[dict[str, Any]], truth: dict[str, dict[str, Decimal]]) -> int:
    """Return what a portfolio's cash must be: capital, less what was paid, plus what the held units paid out."""
    cash_minor = capital_minor
    held: dict[tuple[str, str], Decimal] = {}
    for fill in fills:
        sign = 1 if fill["side"] == "buy" else -1
        cash_minor -= sign * fill["notional_minor"] + fill["fee_minor"]
        key = (fill["market"], fill["outcome"])
        held[key] = held.get(key, Decimal(0)) + sign * fill["units"]
    for (market, outcome), units in held.items():
        cash_minor += int((units * truth[market][outcome] * MINOR_PER_UNIT).to_integral_value(rounding=ROUND_FLOOR))
    return cash_minor


def compare(dsn: str, *, markets: int | None = None) -> dict[str, Any]:
    """Compare the desk's tables with the truth and return the findings; `problems` is empty when all agrees.

    `markets` is how many recorded markets were played; all of them when it is not given.
    """
    truth = true_payouts()
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        fills = connection.execute(FILLS).fetchall()
        accounts = connection.execute(CASH).fetchall()
        settled = {row["market"]: row["settlements"] for row in connection.execute(IN_FORCE).fetchall()}
        tenants = len(connection.execute("SELECT id FROM tenants_tenant WHERE is_active").fetchall())
        seen = {
            row["source_key"]
            for row in connection.execute("SELECT source_key FROM markets_market WHERE source = 'polymarket_gamma'")
        }
        problems = [f"{name}: {rows}" for name, sql in DOUBLE.items() if (rows := connection.execute(sql).fetchall())]
        problems += _wrong_results(connection, truth)
    played = len(truth) if markets is None else markets
    problems += [f"{len(seen)} of {played} markets were seen"] if len(seen) != played else []
    problems += [
        f"market {market} was settled {settled.get(market, 0)} times"
        for market in sorted(seen)
        if settled.get(market, 0) != tenants
    ]
    balances = {}
    for account in accounts:
        own = [fill for fill in fills if fill["portfolio"] == account["portfolio"]]
        expected = expected_cash_minor(-int(account["capital_minor"]), own, truth)
        balances[account["portfolio"]] = {
            "expected_minor": expected,
            "booked_minor": int(account["posted_minor"]),
            "fills": len(own),
        }
        if not expected == account["posted_minor"] == account["balance_minor"]:
            problems.append(
                f"cash of {account['portfolio']}: expected {expected}, posted {account['posted_minor']}, shown {account['balance_minor']}"
            )
    return {"markets": len(seen), "recorded": len(truth), "fills": len(fills), "balances": balances, "problems": problems}


def _wrong_results(connection: psycopg.Connection[dict[str, Any]], truth: dict[str, dict[str, Decimal]]) -> list[str]:
    rows = connection.execute("""
        SELECT DISTINCT ON (m.id, c.id) m.source_key AS market, c.label AS outcome, r.payouts ->> c.id AS payout
        FROM markets_result r JOIN markets_market m ON m.id = r.market_id JOIN markets_outcome c ON c.market_id = m.id
        WHERE m.source = 'polymarket_gamma' ORDER BY m.id, c.id, r.revision DESC""").fetchall()
    return [
        f"{row['market']} {row['outcome']}: desk says {row['payout']}, truth is {truth[row['market']][row['outcome']]}"
        for row in rows
        if Decimal(row["payout"]) != truth[row["market"]][row["outcome"]]
    ]


def main() -> int:
    """Compare, print, and return the exit code."""
    findings = compare(sys.argv[1])
    print(json.dumps(findings, default=str))
    return 1 if findings["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
