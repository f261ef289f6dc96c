"""Celery on Redis, as measured; each value says what goes wrong without it."""

from project.settings.data import BROKER_SENTINEL_OPTIONS, BROKER_URL, CONN_MAX_AGE_S
from tasks.queues import QUEUE_NAMES, ROUTES

CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1800,  # longer than any task; shorter would run long ones twice
    "unacked_restore_interval": 5,  # a killed worker's messages come back in seconds, not minutes
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,  # a silently dead connection is noticed
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "global_keyprefix": "q:",
    **BROKER_SENTINEL_OPTIONS,  # the master's name and how to ask for it, when REDIS_URL names Sentinels
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_TASK_ANNOTATIONS = {"*": {"max_retries": 5}}  # poison that kills its worker stops after these
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a misspelt queue is an error, not a place where messages wait for ever
CELERY_TASK_QUEUES = QUEUE_NAMES.as_kombu()
CELERY_TASK_ROUTES = ROUTES
CELERY_TASK_DEFAULT_QUEUE = "upkeep"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # kilobytes
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # our own structured logging stays
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
# Django's fix-up closes connections after each task; reuse plus the connection hook in tasks/base.py keeps one session
# per child (929/s against 229/s) and survives a database restart.
CELERY_DB_REUSE_MAX = 10**9
WORKER_CONNECTION_AGE_S = CONN_MAX_AGE_S
# A worker renews the lease of its job every few seconds; one that is silent for a whole lease is taken for dead.
JOB_LEASE_S = 15
