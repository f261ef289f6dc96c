"""Who we are: environment, secrets, rooms, middleware, templates."""

from ipaddress import ip_network
from pathlib import Path

from project.env import WrongSetting, env

BASE_DIR = Path(__file__).resolve().parent.parent.parent

ENVIRONMENT = env.choice(
    "ENVIRONMENT", "local", "local, test or production; production insists on real secrets", of=("local", "test", "production")
)
APP_VERSION = env.text("APP_VERSION", "0.1.0", "the version shown in /health and in the API's schema")
IS_PRODUCTION = ENVIRONMENT == "production"

SECRET_KEY = env.text("SECRET_KEY", "", "signs sessions and audit seals; required in production, 50 characters or more")
if not SECRET_KEY:
    if IS_PRODUCTION:
        raise WrongSetting("SECRET_KEY must be set in production")
    SECRET_KEY = "local-only-" + "not-a-secret-" * 4
AUDIT_SIGNING_KEY = env.text("AUDIT_SIGNING_KEY", "", "key of the audit seals; empty: derived from SECRET_KEY")
OPS_TOKEN = env.text("OPS_TOKEN", "", "bearer token for /metrics, /health/detailed and the API; empty: staff sessions only")
DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost", "host names that the web process answers to")
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", "", "addresses or networks of proxies whose X-Forwarded-* headers are believed")
try:
    [ip_network(address, strict=False) for address in TRUSTED_PROXIES]
except ValueError as _fault:
    raise WrongSetting(f"TRUSTED_PROXIES: {_fault}") from None
PROCESS_TYPE = env.text(
    "PROCESS_TYPE", "web", "web, worker_fetch, worker_forecast, worker_money, worker_backup, worker_upkeep, beat or command"
)

ROOMS = [
    "apps.core",
    "apps.audit",
    "apps.tenants",
    "apps.jobs",
    "apps.accounts",
    "apps.backups",
    "apps.ledger",
    "apps.sources",
    "apps.markets",
    "apps.news",
    "apps.forecasts",
    "apps.signals",
    "apps.portfolio",
    "apps.risk",
    "apps.trading",
    "apps.settlement",
    "apps.monitoring",
    "apps.desk",
    "apps.api",
    "tasks",
]
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_prometheus",
    "django_structlog",
    "django_celery_beat",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    *ROOMS,
]
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.core.proxies.believe_trusted_proxies",  # before anything that asks who the client is, or over what it came
    "django.middleware.security.SecurityMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "apps.monitoring.middleware.answer_without_services",
    "whitenoise.middleware.WhiteNoiseMiddleware",  # after ours, so that static files carry request ids too
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "/static/"
# Few files, all our own: WhiteNoise finds them in the rooms, nothing needs to be collected.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
