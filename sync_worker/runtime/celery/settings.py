"""Celery's settings, each with its reason. Redis is a doorbell: a message carries an inbox id only.

Measured facts behind most lines: Celery on Redis loses messages when a worker is killed, and all of
them when Redis is wiped. The inbox in SQL is the queue; the sweeper rings again for what was lost.
"""

from sync_worker.config import settings_of_module

_settings = settings_of_module()

broker_url = _settings.broker
broker_transport_options = {
    "global_keyprefix": _settings.redis_key_prefix,  # several installations may share a server
    "visibility_timeout": 120,  # above the longest run (60 s), or a run would be started twice
    # With the throttle: a killed worker's messages return after seconds, not 100 s
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "unacked_restore_limit": 500,
    "socket_timeout": 5,  # a frozen Redis must not hang a worker for ever
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 15,
}
visibility_timeout = 120  # the shortest of all places wins, so it stands in all of them
broker_connection_retry_on_startup = True  # Redis may start after us
broker_connection_max_retries = None  # the default gives up after 100 tries and the worker exits
broker_pool_limit = 16
broker_pool_acquire_timeout = 1.0  # by default a caller waits for ever

task_serializer = "json"
accept_content = ["json"]  # no pickle: a message must never run code
result_backend = None  # the outcome lives in SQL
task_ignore_result = True
task_default_queue = "sync"
task_default_exchange_type = "direct"  # topic exchanges publish to nobody after Redis was wiped
task_queues = {
    "sync": {"exchange": "sync", "exchange_type": "direct", "routing_key": "sync"},
    "maint": {"exchange": "maint", "exchange_type": "direct", "routing_key": "maint"},
}
task_create_missing_queues = False  # a typo would make a queue that nobody reads
task_routes = {
    f"sync_worker.tasks.{name}": {"queue": "maint", "routing_key": "maint"}
    for name in (
        "sweep",
        "prune",
        "check_hooks",
        "look_for_products",
        "say_farewell",
        "reconcile_due",
        "probe_accounts",
        "probe_account",
        "onboard_site",
        "look_at_site",
        "import_files",
        "resume_sites",
    )
}
task_publish_retry = False  # the sweeper is the retry
task_acks_late = True  # a message is kept until its work is done; work is safe to do twice
task_reject_on_worker_lost = False  # it would start a poisonous task over and over

# The work waits for HTTP: threads carry it in a fifth of the memory of processes
worker_pool = "threads"
worker_concurrency = _settings.threads  # more than slots: see core/ports/slots.py
worker_prefetch_multiplier = 1  # fair, and a kill loses little
worker_send_task_events = True  # Flower lives on events
# A row as soon as a worker has it; the scheduler's ticks would all leave one
task_send_sent_event = False
worker_disable_rate_limits = True  # they are for each worker; the request budget is for the fleet
worker_hijack_root_logger = False  # keep our log format
worker_redirect_stdouts = False
worker_soft_shutdown_timeout = 15.0  # time to finish what is in hand
worker_enable_soft_shutdown_on_idle = True
# A thread cannot be cancelled; the lease guards the work
worker_cancel_long_running_tasks_on_connection_loss = False

_hooks_every_seconds = min(60.0, _settings.hook_check_seconds)
beat_schedule = {
    "sweep": {
        "task": "sync_worker.tasks.sweep",
        "schedule": _settings.sweep_seconds,
        # An old tick is worth nothing
        "options": {"queue": "maint", "expires": _settings.sweep_seconds},
    },
    "prune": {
        "task": "sync_worker.tasks.prune",
        "schedule": 3600.0,
        "options": {"queue": "maint", "expires": 1800.0},
    },
    "check_hooks": {  # asks the ledger whose webhooks nobody has looked at for HOOK_CHECK_SECONDS
        "task": "sync_worker.tasks.check_hooks",
        "schedule": _hooks_every_seconds,
        "options": {"queue": "maint", "expires": _hooks_every_seconds},
    },
    "say_farewell": {  # asks the ledger whether an account that has ended has secrets still
        "task": "sync_worker.tasks.say_farewell",
        "schedule": 20.0,
        "options": {"queue": "maint", "expires": 20.0},
    },
    "resume_sites": {  # asks the ledger whether the pause of a site is over
        "task": "sync_worker.tasks.resume_sites",
        "schedule": 15.0,
        "options": {"queue": "maint", "expires": 15.0},
    },
    "import_files": {  # asks the ledger whether a file that somebody has sent is to go on
        "task": "sync_worker.tasks.import_files",
        "schedule": 10.0,
        "options": {"queue": "maint", "expires": 10.0},
    },
    "look_for_products": {  # asks the ledger whether something that is not mapped has come
        "task": "sync_worker.tasks.look_for_products",
        "schedule": 60.0,
        "options": {"queue": "maint", "expires": 60.0},
    },
    "reconcile_due": {  # asks the ledger whether a site's sweep or poll is due, or one is to go on
        "task": "sync_worker.tasks.reconcile_due",
        "schedule": _settings.reconcile_check_seconds,
        "options": {"queue": "maint", "expires": _settings.reconcile_check_seconds},
    },
}
beat_schedule_filename = str(_settings.ratings_sync_home / "beat-schedule")
beat_max_loop_interval = 5
