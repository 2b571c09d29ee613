"""Flower's settings, for ``celery -A sync_worker.tasks flower --conf=<this file>``; ``ratings-sync flower`` says so.

Flower shows and can stop: it is read-only here, and off the loopback address it starts only with a password.
https://flower.readthedocs.io/en/latest/config.html
"""

from sync_worker.config import load_settings as _load_settings
from sync_worker.errors import Misconfigured as _Misconfigured

_settings = _load_settings()
_host, _, _port = _settings.flower_bind.rpartition(":")

address, port = _host, int(_port)
read_only = True
max_tasks = 10_000  # about 7 kB each: the default of 100,000 would be 700 MB
persistent = False
purge_offline_workers = 600  # containers come and go under new names
inspect_timeout = 2000.0
if _settings.flower_basic_auth is not None:
    basic_auth = [_settings.flower_basic_auth.get_secret_value()]
elif _host not in ("127.0.0.1", "localhost", "::1"):
    raise _Misconfigured("FLOWER_BIND is not the loopback address: set FLOWER_BASIC_AUTH (user:password)")
