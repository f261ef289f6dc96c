"""What the desk does: vendors, forecasts, paper trading, backups."""

from decimal import Decimal

from project.env import WrongSetting, env
from project.settings.base import BASE_DIR

VENDOR_SLUGS = (
    "polymarket_gamma",
    "polymarket_clob",
    "kalshi",
    "manifold",
    "goalserve",
    "football_data",
    "betfair_stream",
    "binance",
    "coingecko",
    "coincap",
    "yahoo",
    "alphavantage",
    "finnhub",
    "newsapi",
    "google_news",
    "reddit",
    "twitter",
    "openai",
)

ADDRESS_SCHEMES = ("https", "http", "file")  # a folder of recordings is an address too


def _vendor(slug: str) -> dict[str, str | int]:
    name = slug.upper()
    return {
        "base_url": env.address(
            f"{name}_BASE_URL", "", f"address of {slug}; empty: the vendor's public one", schemes=ADDRESS_SCHEMES
        ),
        "api_key": env.secret(f"{name}_API_KEY", f"key of {slug}, when it needs one"),
        "rate_per_minute": env.whole(f"{name}_RATE_PER_MINUTE", 0, f"calls a minute to {slug}; 0: its published quota"),
    }


KIT_PROCESSES = env.whole(
    "KIT_PROCESSES", 4, "processes that share each vendor's quota, assumed while Redis has not been seen", at_least=1
)
VENDORS = {slug: _vendor(slug) for slug in VENDOR_SLUGS}
SOURCES_ON = tuple(env.words("SOURCES_ON", "", "slugs of the sources that may be fetched; empty: all that have what they need"))
for slug in SOURCES_ON:
    if slug not in VENDOR_SLUGS:
        raise WrongSetting(f"SOURCES_ON names {slug!r}, which is no source; there are {', '.join(VENDOR_SLUGS)}")
OPENAI_MODEL = env.text("OPENAI_MODEL", "gpt-4o-mini", "model of the analyst")
ANALYST_COST_CAP = Decimal(
    str(env.number("ANALYST_COST_CAP", 1.0, "US dollars that the analyst may cost a day (UTC); beyond it nobody is asked"))
)
ANALYST_PRICE_IN = Decimal(str(env.number("ANALYST_PRICE_IN", 0.15, "US dollars for a million tokens that the analyst reads")))
ANALYST_PRICE_OUT = Decimal(str(env.number("ANALYST_PRICE_OUT", 0.6, "US dollars for a million tokens that the analyst writes")))

PAPER_TRADING = env.truth("PAPER_TRADING", default=True, meaning="trade on paper; the only venue so far")
PAPER_CAPITAL = Decimal(
    str(env.number("PAPER_CAPITAL", 100_000.0, "opening capital of each paper portfolio of the demo tenant", at_least=1))
)
PAPER_LATENCY_MS = env.whole("PAPER_LATENCY_MS", 250, "milliseconds between an order and the book that it meets")
SHADOW_STAKE = Decimal(str(env.number("SHADOW_STAKE", 5.0, "stake of one shadow trade in the tenant's currency", at_least=0.01)))
PREDICTION_CACHE_TTL_MINUTES = env.number("PREDICTION_CACHE_TTL_MINUTES", 5.0, "a forecast younger than this is not made again")
PREDICTION_CACHE_PRICE_THRESHOLD = env.number("PREDICTION_CACHE_PRICE_THRESHOLD", 0.05, "unless the price moved by this fraction")
SCHEDULE_SPEED = env.number(
    "SCHEDULE_SPEED",
    1.0,
    "divides the intervals of the day and the ages that count as stale; bin/up sets it to the world's speed",
    at_least=0.01,
)
FETCH_LOG_KEEP_DAYS = env.whole("FETCH_LOG_KEEP_DAYS", 30, "days that fetch log and quarantine rows are kept", at_least=1)
QUOTE_KEEP_DAYS = env.whole("QUOTE_KEEP_DAYS", 400, "days that quotes are kept; older partitions are dropped", at_least=2)
BACKUP_DIR = env.text("BACKUP_DIR", str(BASE_DIR / ".local" / "backups"), "where backups are kept")
PG_BIN_DIR = env.text("PG_BIN_DIR", "", "folder of pg_dump, pg_restore and initdb; empty: the wheel's, then PATH")
CRYPTO_SYMBOLS = tuple(env.words("CRYPTO_SYMBOLS", "BTC,ETH,SOL", "pairs against USDT that the desk follows on binance"))
INSTRUMENT_SYMBOLS = tuple(env.words("INSTRUMENT_SYMBOLS", "^GSPC,^IXIC,CL=F,^VIX", "instruments that the desk follows on yahoo"))
SCREEN_CRYPTO = tuple(
    env.words(
        "SCREEN_CRYPTO",
        "BTC,ETH,XRP,BNB,SOL,DOGE,TRX,ADA,LINK,SUI,XLM,BCH,AVAX,HBAR,LTC,SHIB,TON,DOT,UNI,AAVE,NEAR,APT,ICP,ETC,ARB,VET,ATOM,FIL,"
        "ALGO,OP",
        "coins that manage.py screen crypto shows",
    )
)
SCREEN_STOCKS = tuple(
    env.words(
        "SCREEN_STOCKS",
        "AAPL,MSFT,NVDA,AMZN,GOOGL,META,AVGO,TSLA,BRK-B,JPM,LLY,V,XOM,UNH,MA,COST,JNJ,PG,HD,WMT,NFLX,ABBV,BAC,CRM,ORCL,KO,CVX,MRK,"
        "AMD,PEP",
        "shares, indices and futures, as Yahoo names them, that manage.py screen stocks shows",
    )
)
