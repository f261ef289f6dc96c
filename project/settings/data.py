"""Where things are kept: PostgreSQL, Redis, caches."""

import dj_database_url

from project.env import WrongSetting, env
from project.redis_addresses import as_broker, as_cache, checked, of_database
from project.settings.base import ENVIRONMENT, IS_PRODUCTION, PROCESS_TYPE

DATABASE_URL = env.text("DATABASE_URL", "", "PostgreSQL; unset: bin/up and bin/test start an embedded server")
REDIS_URL = env.text(
    "REDIS_URL",
    "",
    "Redis or Valkey, database 0 is the broker; unset: an embedded server. "
    "With Sentinel: sentinel://:password@host:26379,host:26379,host:26379/0?master=bellwether",
)
CACHE_REDIS_URL = env.text("CACHE_REDIS_URL", "", "Redis for the cache; unset: the next database of REDIS_URL's server")
STATEMENT_TIMEOUT = env.text("DB_STATEMENT_TIMEOUT", "3s", "PostgreSQL statement_timeout of web processes")
IDLE_TIMEOUT = env.text("DB_IDLE_IN_TRANSACTION_TIMEOUT", "5s", "PostgreSQL idle_in_transaction_session_timeout of web processes")
CONN_TIMEOUT_S = env.whole("DB_CONN_TIMEOUT", 5, "seconds to wait for a database connection", at_least=1)
NETWORK_TIMEOUT_S = env.whole(
    "DB_NETWORK_TIMEOUT", 10, "seconds after which a database connection whose other end is silent is given up", at_least=3
)
CONN_MAX_AGE_S = env.whole("DB_CONN_MAX_AGE", 3600, "seconds that a worker keeps a database connection")
PREPARE_THRESHOLD = env.whole("DB_PREPARE_THRESHOLD", 0, "executions before a statement is prepared; 0: never (PgBouncer)")
POOL_MIN = env.whole("DB_POOL_MIN", 2, "connections that the web pool keeps open")
WEB_POOL_MAX = env.whole("DB_WEB_POOL_MAX", 20, "connections that the web pool opens at most", at_least=1)

if not DATABASE_URL and IS_PRODUCTION:
    raise WrongSetting("DATABASE_URL must be set in production")
try:
    database = dj_database_url.parse(DATABASE_URL or "postgres://bellwether@127.0.0.1:5432/bellwether")
except Exception as error:
    raise WrongSetting(f"DATABASE_URL cannot be read: {type(error).__name__}") from None
if database["ENGINE"] != "django.db.backends.postgresql":
    raise WrongSetting("DATABASE_URL must be a postgres:// address")

IS_WEB = PROCESS_TYPE == "web" and ENVIRONMENT != "test"
# Web processes share a pool and carry guard-rails; prefork workers keep one connection per child, which
# CONN_HEALTH_CHECKS replaces when the server was restarted.
database["CONN_MAX_AGE"] = 0 if IS_WEB else CONN_MAX_AGE_S
database["CONN_HEALTH_CHECKS"] = True
database["OPTIONS"] = {
    **database.get("OPTIONS", {}),
    "connect_timeout": CONN_TIMEOUT_S,
    "prepare_threshold": PREPARE_THRESHOLD or None,
    "application_name": f"bellwether-{PROCESS_TYPE}",
    # A network that fails without a word would hold a process for a quarter of an hour, and the server its locks for two
    # hours: both ends ask after a third of the time, and give up after all of it.
    "keepalives_idle": NETWORK_TIMEOUT_S // 3,
    "keepalives_interval": NETWORK_TIMEOUT_S // 3,
    "keepalives_count": 2,
    "tcp_user_timeout": NETWORK_TIMEOUT_S * 1000,  # milliseconds
}
_session: dict[str, str | int] = {
    "tcp_keepalives_idle": NETWORK_TIMEOUT_S // 3,
    "tcp_keepalives_interval": NETWORK_TIMEOUT_S // 3,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": NETWORK_TIMEOUT_S * 1000,
}
if IS_WEB:
    database["OPTIONS"]["pool"] = {"min_size": POOL_MIN, "max_size": WEB_POOL_MAX, "timeout": CONN_TIMEOUT_S}
    _session |= {"statement_timeout": STATEMENT_TIMEOUT, "idle_in_transaction_session_timeout": IDLE_TIMEOUT}
database["OPTIONS"]["options"] = " ".join(f"-c {name}={value}" for name, value in _session.items())
DATABASES = {"default": database}


BROKER_REDIS_URL = checked("REDIS_URL", REDIS_URL or "redis://127.0.0.1:6379/0")
BROKER_URL, BROKER_SENTINEL_OPTIONS = as_broker(BROKER_REDIS_URL)
KIT_REDIS_URL = of_database(BROKER_REDIS_URL, 2)
CACHE_URL = checked("CACHE_REDIS_URL", CACHE_REDIS_URL) if CACHE_REDIS_URL else of_database(BROKER_REDIS_URL, 1)
_cache_options = {
    "CLIENT_CLASS": "django_redis.client.DefaultClient",
    # A dead cache must cost milliseconds, not requests.
    "SOCKET_CONNECT_TIMEOUT": 0.5,
    "SOCKET_TIMEOUT": 0.5,
}
CACHES = {
    # The cache may vanish at any time: errors are ignored and counted as misses.
    "default": {
        "BACKEND": "apps.core.counted_cache.CountedCache",
        "KEY_PREFIX": "cache",
        **as_cache(CACHE_URL, {**_cache_options, "IGNORE_EXCEPTIONS": True}),
    },
    # Locks and limits must not be guessed: errors are raised.
    "strict": {
        "BACKEND": "django_redis.cache.RedisCache",
        "KEY_PREFIX": "strict",
        **as_cache(BROKER_REDIS_URL, _cache_options),
    },
}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
