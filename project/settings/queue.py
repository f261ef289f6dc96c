"""Celery on Redis, as measured; each value says what goes wrong without it. docs/queue.md tells the whole story.

Every name is one that the installed Celery 5.7 and kombu 5.7 know: a test asks their own tables, for Celery ignores a
setting that it does not know.
"""

from project.env import env
from project.settings.data import BROKER_REDIS_URL, BROKER_SENTINEL_OPTIONS, BROKER_URL, CONN_MAX_AGE_S
from tasks.queues import FIRST_LANE, QUEUE_NAMES, ROUTES

# --- The broker: one connection to it may break, go silent, or lose what it was told -------------------------------------
CELERY_BROKER_URL = BROKER_URL
# kombu's own transports behind a door: a message that nobody of us sent is dropped and counted, and kills no worker.
CELERY_BROKER_TRANSPORT = f"tasks.transport:Checked{'Sentinel' if BROKER_REDIS_URL.startswith('sentinel') else ''}Transport"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task (an hour, backups): a message that is still worked on must not be given to a second
    # worker. It is long because rows, not messages, bring work back after a kill, and within 20 s.
    "visibility_timeout": 7200,
    # How often each worker looks for messages past that time: every 5 s (10 by default), and really at every look
    # (kombu looks only at every tenth by default, so that "10" means 100 s).
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A connection that is cut off without a word would stop a worker for ever, and hold a request for over a minute: no
    # command waits longer. Above the second that BRPOP waits for messages; below what a request may take.
    "socket_timeout": 4,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # kombu 5.7 checks its waiting connections so often, and gives one up whose answer is overdue (25 s by default).
    "health_check_interval": 5,
    # The kit and the locks live on the same server; what is the queue's must be told from it.
    "global_keyprefix": "q:",
    # Two lanes a queue, in the order in which they are emptied: the ordinary one (0), and before it one for what has waited
    # its turn already. Four by default, of which each worker asks for all each time.
    "priority_steps": (FIRST_LANE, 0),
    # retry_on_timeout stays off: a command that was cut off may have been carried out, and a message would be sent twice.
    **BROKER_SENTINEL_OPTIONS,  # the master's name and how to ask for it, when REDIS_URL names Sentinels
}
CELERY_BROKER_CONNECTION_TIMEOUT = 4
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True  # servers of one stack start in any order
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # 100 by default, then the worker ends: a broker may be away for a night

# --- Messages: bells that may be lost, come twice or be forged ------------------------------------------------------------
CELERY_TASK_ACKS_LATE = True  # a worker that dies has not answered for its message: it comes back
# A child that dies (segfault, out of memory) sends its message again, five times at most. `task_reject_on_worker_lost`
# would send it for ever; jobs are counted in their rows besides, three attempts.
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_TASK_ANNOTATIONS = {"*": {"max_retries": 5}}
CELERY_TASK_IGNORE_RESULT = True  # results are rows; another copy in Redis costs a command a task and is never read
CELERY_TASK_STORE_EAGER_RESULT = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # pickle runs what the sender likes
CELERY_TIMEZONE = "UTC"
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a misspelt queue is an error, not a place where messages wait for ever
CELERY_TASK_QUEUES = QUEUE_NAMES.as_kombu()
CELERY_TASK_ROUTES = ROUTES
CELERY_TASK_DEFAULT_QUEUE = QUEUE_NAMES.upkeep
# Publishing that fails is counted and left to the caretaker. Celery's retries (three, with waits) would hold the request.
CELERY_TASK_PUBLISH_RETRY = False
# `rate_limit` is used nowhere: it counts for each worker alone. Measured for a limit of 40/s: a peak of 79, then 2.6, and
# every other task starved. Without any, its bookkeeping for each message goes too.
CELERY_WORKER_DISABLE_RATE_LIMITS = True

# --- Workers --------------------------------------------------------------------------------------------------------------
# A worker takes a message only when a child is free for it, so that none waits behind a long one while others idle.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
# After SIGQUIT (SIGTERM in containers, by REMAP_SIGTERM) running tasks get this long; the messages of unfinished ones go back.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
# A leak ends with its child. 10,000 runs are some minutes of bells; a new child is at work in a tenth of a second.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # kilobytes; a child of the desk has 120,000
# A task that hangs is told to end (an error in the task), and a minute later killed. Backups have limits of their own.
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_SEND_TASK_EVENTS = False  # two more messages a task; bin/up --flower turns them on
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # our own structured logging stays
# Celery puts a logger in the place of stderr, and sets Django up again whenever task modules are asked for: our handler
# would then write into that logger, which drops it. Beat and workers would fall silent without a sign.
CELERY_WORKER_REDIRECT_STDOUTS = False
# When the broker was lost, running tasks go on: their rows are theirs as long as their leases are renewed.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BEAT_SCHEDULER = "tasks.beat:SlotScheduler"  # any number of beats; a slot becomes one job (docs/schedules.md)
CELERY_BEAT_MAX_LOOP_INTERVAL = 1  # seconds between looks at most: so long an edit of the schedule takes

# --- Database sessions of workers -----------------------------------------------------------------------------------------
# Django's fix-up closes the connection after each task; reuse plus the connection hook in tasks/base.py keeps one session
# per child (929/s against 229/s) and survives a database restart. A pool in a prefork child would double the cost.
CELERY_DB_REUSE_MAX = 10**9
WORKER_CONNECTION_AGE_S = CONN_MAX_AGE_S

# --- Jobs: rows of record -------------------------------------------------------------------------------------------------
# A worker renews the lease of its job every few seconds; one that is silent for a whole lease is taken for dead.
JOB_LEASE_S = 15
JOB_KEEP_DAYS = env.whole("JOB_KEEP_DAYS", 14, "days that jobs which ended well are kept", at_least=1)
