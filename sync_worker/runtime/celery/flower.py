"""Flower's settings, for ``celery -A sync_worker.tasks flower --conf=<this file>``.

``ratings-sync flower`` starts it so. Flower shows and can stop: it is read-only here, and off the
loopback address it starts only with a password.
https://flower.readthedocs.io/en/latest/config.html
"""

from sync_worker.config import load_settings as _load_settings

_settings = _load_settings()

address, port = _settings.flower_address
read_only = True
max_tasks = 10_000  # about 7 kB each: the default of 100,000 would be 700 MB
persistent = False
# The end and whose rating it was first: by itself Flower shows neither.
tasks_columns = "state,result,args,received,runtime,worker,name"
purge_offline_workers = 600  # containers come and go under new names
inspect_timeout = 2000.0
if _settings.flower_basic_auth is not None:
    basic_auth = [_settings.flower_basic_auth.get_secret_value()]
