"""Settings from the environment and ``.env``; read once, at the edge. Every secret also as NAME_FILE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.connection import parse_url

from sync_worker.errors import Misconfigured

SECRETS = ("WIX_APP_SECRET", "WIX_PUBLIC_KEY", "DATABASE_URL", "REDIS_URL", "REDIS_CACHE_URL")


class Settings(BaseSettings):
    """What the environment says. Names without surprises; defaults serve one machine."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    ratings_sync_home: Path = Path(".ratings-sync")
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    redis_cache_url: SecretStr | None = None
    redis_key_prefix: str = "ratings-sync:"

    wix_app_id: str = ""
    wix_app_secret: SecretStr = SecretStr("")
    wix_public_key: str = ""
    wix_api_base_url: str = "https://www.wixapis.com"
    wix_budget_per_minute: float = Field(default=192.0, gt=0)
    wix_budget_capacity: float = Field(default=8.0, ge=1)
    budget_processes: int = Field(default=1, ge=1)

    connectors: str = "own-service"

    gateway_bind: str = "127.0.0.1:8700"
    gateway_max_body_bytes: int = Field(default=262_144, gt=0)
    gateway_answer_seconds: float = Field(default=1.0, gt=0)
    worker_concurrency: int = Field(default=0, ge=0)  # 0: 8 on SQLite, 16 on PostgreSQL
    sweep_seconds: float = Field(default=5.0, gt=0)

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @cached_property
    def database(self) -> str:
        """The ledger's URL; without a setting a SQLite file in the state folder."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.ratings_sync_home / 'ledger.db').absolute()}"

    @property
    def is_sqlite(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def slots(self) -> int:
        """Threads of a worker process; SQLite serves one process with 8 (design: one writer)."""
        return self.worker_concurrency or (8 if self.is_sqlite else 16)

    @cached_property
    def broker(self) -> str:
        """The broker's URL. Raises Misconfigured."""
        if self.redis_url is None:
            raise Misconfigured(
                "REDIS_URL is not set; set it (redis://[:password@]host:6379/0), or start all with `ratings-sync up`, "
                "which brings its own Redis"
            )
        return self.redis_url.get_secret_value()

    @cached_property
    def cache(self) -> str:
        """The cache's URL: another database than the broker's."""
        if self.redis_cache_url is not None:
            return self.redis_cache_url.get_secret_value()
        number = int(parse_url(self.broker).get("db", 0)) + 1  # type: ignore[no-untyped-call]  # redis ships no type for it
        base = self.broker.split("?")[0].rstrip("/")
        head, _, tail = base.rpartition("/")
        return f"{head}/{number}" if tail.isdigit() else f"{base}/{number}"


def environment(folder: Path | None = None) -> dict[str, str]:
    """The process's environment over the ``.env`` file of the folder."""
    file = (folder or Path()) / ".env"
    from_file = {name: value for name, value in dotenv_values(file).items() if value} if file.is_file() else {}
    return {**from_file, **os.environ}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from an environment (by default the process's, over ``.env``). Raises Misconfigured."""
    environ = environment() if environ is None else environ
    values = {name: environ[name.upper()] for name in Settings.model_fields if environ.get(name.upper())}
    for name in SECRETS:
        if name.lower() not in values and environ.get(f"{name}_FILE"):
            values[name.lower()] = _from_file(name, environ[f"{name}_FILE"])
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        name = str(problem["loc"][0]).upper()
        raise Misconfigured(f"{name}: {problem['msg']}; correct it in the environment or in .env") from None


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{name}_FILE: cannot read {path} ({error.strerror})") from None
