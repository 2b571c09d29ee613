"""Settings from the environment and ``.env``; read once, at the edge.

Every secret also as NAME_FILE.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from redis.connection import parse_url

from sync_worker.core import service_urls
from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import bare, is_placeholder, nearest, secret_of, unsendable_in
from sync_worker.core.values import WixKind
from sync_worker.files.env_file import read_env_file
from sync_worker.files.references import DEFAULT_FOLDERS
from sync_worker.files.state_folder import LEDGER_FILE

SECRETS = (
    "WIX_APP_SECRET",
    "WIX_PUBLIC_KEY",
    "WIX_API_KEY",
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "REDIS_URL",
    "REDIS_CACHE_URL",
    "REDIS_PASSWORD",
    "METRICS_TOKEN",
    "FLOWER_BASIC_AUTH",
    "SECRETS_KEY",
    "SECRETS_SEALING_KEY",
)
OF_SEVERAL_LINES = frozenset({"WIX_PUBLIC_KEY", "SECRETS_KEY", "SECRETS_SEALING_KEY"})
# Without these nothing crosses, or something is open to all: an example's value stops the start.
NEEDED = (*SECRETS, "WIX_APP_ID", "WIX_SITE_ID", "WIX_API_BASE_URL")
# Of docker-compose.yml and the servers in it.
OF_COMPOSE = (
    "RATINGS_SYNC_VERSION",
    "REDIS_IMAGE",
    "POSTGRES_IMAGE",
    "POSTGRES_PASSWORD",
    "POSTGRES_MAX_CONNECTIONS",
    "GATEWAY_HOST_IP",
    "GATEWAY_HOST_PORTS",
    "FLOWER_HOST_IP",
    "FLOWER_HOST_PORT",
    "CONSOLE_HOST_IP",
    "CONSOLE_HOST_PORT",
)
# Set in somebody's environment, they do nothing any more; `doctor` says so.
RETIRED = ("WORKER_ONE_CORE",)
# They go out with calls, in headers, forms and addresses.
SENT = ("WIX_APP_ID", "WIX_APP_SECRET", "WIX_API_KEY", "WIX_SITE_ID", "WIX_API_BASE_URL")
WIX_URL = "https://www.wixapis.com"
MIN_TOKEN = 16  # characters; what can be guessed closes nothing


# Empty they say something of their own: never.
MAY_BE_EMPTY = frozenset({"reconcile_at"})


class Settings(BaseModel):
    """What the environment says. Names without surprises; defaults serve one machine."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    ratings_sync_home: Path = Path(".ratings-sync")
    database_url: SecretStr | None = None
    database_password: SecretStr | None = None  # for a URL without one, which is no secret then
    redis_url: SecretStr | None = None
    redis_cache_url: SecretStr | None = None
    redis_password: SecretStr | None = None
    redis_key_prefix: str = "ratings-sync:"

    wix_app_id: str = ""
    wix_app_secret: SecretStr = SecretStr("")
    wix_public_key: str = ""
    wix_api_key: SecretStr = SecretStr("")  # of a site's owner, instead of an app
    wix_site_id: str = ""  # of the site that the key is for
    wix_poll_seconds: float = Field(default=300.0, ge=30)  # where no webhook tells what happens
    wix_api_base_url: str = WIX_URL
    wix_new_sites: Literal["", "reviews", "ratings"] = ""  # which API; empty: by the address
    wix_budget_per_minute: float = Field(default=192.0, gt=0)
    wix_budget_capacity: float = Field(default=8.0, ge=1)
    budget_processes: int = Field(default=1, ge=1)

    connectors: str = "own-service"
    connector_secrets_folders: str = DEFAULT_FOLDERS  # of {file: PATH} in a manifest

    # Of accounts; the first seals, all open. Without it: the file that `up` makes.
    secrets_key: SecretStr | None = None
    secrets_sealing_key: SecretStr | None = None  # only seals, for who must not open

    gateway_bind: str = "127.0.0.1:8700"
    gateway_public_url: str = ""  # where senders reach it; its certificate is looked at
    gateway_max_body_bytes: int = Field(default=262_144, gt=0)
    gateway_answer_seconds: float = Field(default=1.0, gt=0)
    gateway_read_seconds: float = Field(default=5.0, gt=0)
    gateway_processes: int = Field(default=0, ge=0)  # 0: 1 on SQLite, 2 on PostgreSQL
    gateway_threads: int = Field(default=0, ge=0)  # of a process; 0: 16 on SQLite, 8 on PostgreSQL
    bad_signatures_per_minute: int = Field(default=30, ge=1)
    worker_slots: int = Field(default=0, ge=0)  # 0: 8 on SQLite, 16 on PostgreSQL
    worker_concurrency: int = Field(default=0, ge=0)  # the older name; 0: not set
    delivery_cpu_seconds: float = Field(default=2.0, gt=0)
    sweep_seconds: float = Field(default=5.0, gt=0)
    hook_check_seconds: float = Field(default=900.0, gt=0)
    reconcile_check_seconds: float = Field(default=60.0, gt=0)
    # UTC; empty: never by itself
    reconcile_at: str = Field(default="03:00", pattern=r"^(|([01]\d|2[0-3]):[0-5]\d)$")
    reconcile_window_minutes: float = Field(default=240.0, ge=0, le=1380)  # of many sites
    sweeps_at_once: int = Field(default=4, ge=1)  # of the fleet

    retention_payload_days: float = Field(default=7.0, ge=3)  # Wix delivers again for 47 h
    retention_inbox_days: float = Field(default=30.0, ge=3)
    retention_history_days: float = Field(default=365.0, ge=3)
    retention_run_days: float = Field(default=90.0, ge=3)
    retention_words_days: float = Field(default=30.0, ge=3)
    retention_removed_days: float = Field(default=30.0, ge=3)

    metrics_bind: str = ""  # of a worker, host:port; empty: none
    metrics_token: SecretStr | None = Field(default=None, min_length=MIN_TOKEN)
    flower_basic_auth: SecretStr | None = None  # user:password
    flower_bind: str = "127.0.0.1:5555"

    console_bind: str = "127.0.0.1:8720"
    console_public_url: str = ""  # where people open it: https, or http at 127.0.0.1
    flower_url: str = ""  # where people open Flower, for the console's links
    grafana_url: str = ""
    console_threads: int = Field(default=8, ge=1)
    console_api_per_minute: int = Field(default=600, ge=1)  # requests of one token
    console_trusted_proxies: str = ""  # addresses and networks that may say whom they heard
    # Who may frame the pages of a site's owner: Wix's dashboard.
    console_frame_ancestors: str = "https://manage.wix.com https://*.wix.com https://*.editorx.com"
    console_instance_minutes: float = Field(default=10.0, gt=0)  # so old may a signed one be

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _closed_by_default(self) -> Settings:
        if self.metrics_bind and self.metrics_token is None:
            raise ValueError("METRICS_BIND needs METRICS_TOKEN: metrics are never open")
        return self

    @property
    def has_app(self) -> bool:
        """Whether Wix knows us as an app, which hears of changes; a key alone only asks.

        Raises Misconfigured.
        """
        if bool(self.wix_api_key.get_secret_value()) != bool(self.wix_site_id):
            raise Misconfigured(
                "WIX_API_KEY and WIX_SITE_ID belong together: the key, and the id of the site that"
                " it is for (in the address of the site's dashboard)"
            )
        return bool(self.wix_app_id) or not self.wix_site_id

    @property
    def token_seal(self) -> str:
        """A secret that every process of the fleet has, and Redis has not."""
        return self.wix_app_secret.get_secret_value() or self.wix_api_key.get_secret_value()

    @cached_property
    def database(self) -> str:
        """The ledger's URL; without a setting a SQLite file in the state folder.

        Raises Misconfigured.
        """
        if self.database_url is not None:
            service_urls.check_database_url("DATABASE_URL", self.database_url.get_secret_value())
            return _with_password(self.database_url, self.database_password)
        return f"sqlite:///{(self.ratings_sync_home / LEDGER_FILE).absolute()}"

    @property
    def first_wix_api(self) -> WixKind:
        """Of a new site: Wix has published its Reviews API only; a stand-in shows Ratings first."""
        if self.wix_new_sites:
            return WixKind(self.wix_new_sites)
        is_wix = service_urls.host_of(self.wix_api_base_url) == service_urls.host_of(WIX_URL)
        return WixKind.REVIEWS if is_wix else WixKind.RATINGS

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def flower_address(self) -> tuple[str, int]:
        """Host and port.

        Raises Misconfigured if the dashboard would be open to others than this machine.
        """
        host, _, port = self.flower_bind.rpartition(":")
        if not port.isdecimal():
            raise Misconfigured(f"FLOWER_BIND: {self.flower_bind!r} is not host:port")
        if self.flower_basic_auth is None and host not in ("127.0.0.1", "localhost", "::1"):
            raise Misconfigured(
                "FLOWER_BIND is not the loopback address: set FLOWER_BASIC_AUTH (user:password)"
            )
        return host, int(port)

    @property
    def gateway_pool(self) -> tuple[int, int]:
        """Processes of the gateway and threads of each; SQLite serves one process."""
        processes, threads = 2, 8
        if self.is_sqlite:
            processes, threads = 1, 16
        return self.gateway_processes or processes, self.gateway_threads or threads

    @property
    def slots(self) -> int:
        """Calls that a process has under way; SQLite has one writer at a time: 8 keep it busy."""
        return self.worker_slots or self.worker_concurrency or (8 if self.is_sqlite else 16)

    @property
    def threads(self) -> int:
        """Of a worker process: half as many again: a rating needs a slot for its call alone."""
        return -(-3 * self.slots // 2)

    @cached_property
    def broker(self) -> str:
        """The broker's URL. Raises Misconfigured."""
        if self.redis_url is None:
            raise Misconfigured(
                "REDIS_URL is not set; set it (redis://[:password@]host:6379/0), or start all with"
                " `ratings-sync up`, which brings its own Redis"
            )
        service_urls.check_redis_url("REDIS_URL", self.redis_url.get_secret_value())
        return _with_password(self.redis_url, self.redis_password)

    @cached_property
    def cache(self) -> str:
        """The cache's URL: another database than the broker's. Raises Misconfigured."""
        if self.redis_cache_url is not None:
            service_urls.check_redis_url("REDIS_CACHE_URL", self.redis_cache_url.get_secret_value())
            return _with_password(self.redis_cache_url, self.redis_password)
        return cache_url(self.broker)


def cache_url(broker: str) -> str:
    """The database after the broker's, on the same server."""
    number = int(parse_url(broker).get("db", 0)) + 1  # type: ignore[no-untyped-call]  # redis ships no type for it
    base = broker.split("?")[0].rstrip("/")
    head, _, tail = base.rpartition("/")
    return f"{head}/{number}" if tail.isdigit() else f"{base}/{number}"


def _with_password(url: SecretStr, password: SecretStr | None) -> str:
    if password is None:
        return url.get_secret_value()
    return service_urls.with_password(url.get_secret_value(), password.get_secret_value())


def environment(folder: Path | None = None) -> dict[str, str]:
    """The process's environment over the ``.env`` file of the folder. Raises Misconfigured."""
    file = (folder or Path()) / ".env"
    if not file.is_file():
        return dict(os.environ)
    ours = known_names()
    read = read_env_file(file, ours.__contains__, lambda name: name.lower() in MAY_BE_EMPTY)
    return {**read, **os.environ}


def known_names() -> set[str]:
    """Every setting of ours, also as NAME_FILE, and those of the compose file."""
    return {
        *(name.upper() for name in Settings.model_fields),
        *(f"{name}_FILE" for name in SECRETS),
        *OF_COMPOSE,
        *RETIRED,
    }


def misspelt_names(environ: Iterable[str]) -> dict[str, str]:
    """Names that are no settings but nearly so, each with the one that is likely meant."""
    ours = known_names()
    near = {name: nearest(name, ours) for name in sorted(set(environ) - ours)}
    return {name: meant for name, meant in near.items() if meant and meant not in OF_COMPOSE}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from an environment (by default the process's, over ``.env``).

    Raises Misconfigured.
    """
    environ = environment() if environ is None else environ
    # An empty value is as good as none, unless it says something: compose files pass such on.
    values = {
        name: bare(environ[name.upper()])
        for name in Settings.model_fields
        if environ.get(name.upper()) or (name in MAY_BE_EMPTY and name.upper() in environ)
    }
    for name in SECRETS:
        if name.lower() not in values and environ.get(f"{name}_FILE"):
            values[name.lower()] = _from_file(name, bare(environ[f"{name}_FILE"]))
    _refuse_unreal(values)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise Misconfigured(
            f"{_first_problem(error)}; correct it in the environment or in .env"
        ) from None


def settings_of_module() -> Settings:
    """For modules that a library loads by name: what is wrong ends the process in one line."""
    try:
        settings = load_settings()
        _ = settings.broker
    except Misconfigured as error:
        raise SystemExit(f"ratings-sync: {error}") from None
    return settings


def _refuse_unreal(values: Mapping[str, str]) -> None:
    for name in NEEDED:
        if is_placeholder(values.get(name.lower(), "")):
            raise Misconfigured(
                f"{name} is still a placeholder; put its real value into the environment or .env"
            )
    for name in SENT:
        if sign := unsendable_in(values.get(name.lower(), "")):
            raise Misconfigured(
                f"{name} holds {sign}, which does not belong there; paste its value again as plain"
                " text"
            )


def _first_problem(error: ValidationError) -> str:
    """The setting and what is wrong with it, without its value: that may be a secret."""
    problem = error.errors(include_url=False, include_input=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    return f"{str(problem['loc'][0]).upper()}: {message}"


def _from_file(name: str, path: str) -> str:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise Misconfigured(f"{name}_FILE: {path} cannot be read ({reason})") from None
    return secret_of(name, path, data, is_one_line=name not in OF_SEVERAL_LINES)
