""".env.example, docs/settings.md, docker-compose.yml and the program name the same settings with
the same defaults.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sync_worker.config import SECRETS, Settings, environment, load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import WixKind
from tests.fleet_file import ROOT

EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if re.match(r"[A-Z_]+=", line)
)
FIELDS = {name.upper() for name in Settings.model_fields}
# ``$${NAME}`` is a shell's own, in a container.
COMPOSE = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text())) | {
    "POSTGRES_PASSWORD"
}


def test_example_lists_every_setting_and_no_other() -> None:
    assert set(EXAMPLE) == FIELDS | COMPOSE


def test_example_shows_the_defaults() -> None:
    assert load_settings(EXAMPLE) == load_settings({})


def test_example_carries_the_compose_file_s_own_defaults() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in COMPOSE - FIELDS - {"POSTGRES_PASSWORD"}:
        assert set(re.findall(r"\$\{" + name + r":-([^}]*)\}", text)) == {EXAMPLE[name]}


def test_page_lists_every_setting_with_the_same_default() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|–) \| (.+) \|$",
        (ROOT / "docs/settings.md").read_text(),
        re.M,
    )
    assert {name: default for name, default, _ in rows} == EXAMPLE
    assert all(text for *_, text in rows)


def test_empty_value_in_the_environment_means_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty value means the default, also in the environment of the process."""
    for name in EXAMPLE:
        monkeypatch.setenv(name, "")
    # Empty it says something of its own.
    monkeypatch.delenv("RECONCILE_AT")
    assert load_settings() == load_settings({})
    monkeypatch.setenv("SWEEP_SECONDS", "9")
    assert load_settings({}).sweep_seconds == 5.0, "a given environment is the only one"


@pytest.mark.parametrize("bind", ["0.0.0.0:5555", ":5555", "10.0.0.1:5555"])
def test_dashboard_without_a_password_is_refused_off_the_loopback_address(bind: str) -> None:
    with pytest.raises(Misconfigured, match="set FLOWER_BASIC_AUTH"):
        _ = load_settings({"FLOWER_BIND": bind}).flower_address
    assert (
        load_settings({"FLOWER_BIND": bind, "FLOWER_BASIC_AUTH": "a:b"}).flower_address[1] == 5555
    )
    assert load_settings({}).flower_address == ("127.0.0.1", 5555)


@pytest.mark.parametrize(
    ("environ", "slots", "threads"),
    [
        ({}, 8, 12),
        ({"DATABASE_URL": "postgresql+psycopg://u@h/d"}, 16, 24),
        ({"WORKER_CONCURRENCY": "10"}, 10, 15),
        ({"WORKER_SLOTS": "5"}, 5, 8),
        ({"WORKER_SLOTS": "1"}, 1, 2),
        ({"WORKER_SLOTS": "12", "WORKER_CONCURRENCY": "6"}, 12, 18),
        ({"WORKER_SLOTS": "0", "WORKER_CONCURRENCY": "6"}, 6, 9),
    ],
)
def test_slots_are_calls_and_threads_are_half_as_many_again(
    environ: dict[str, str], slots: int, threads: int
) -> None:
    """WORKER_SLOTS goes before its older name; threads follow by themselves, rounded up."""
    settings = load_settings(environ)
    assert (settings.slots, settings.threads) == (slots, threads)


def test_secret_may_come_from_a_file_and_is_never_printed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("secrets")
    environ = {}
    for name in SECRETS:
        (folder / name).write_text(f"canary-of-{name.lower()}-long-enough\n")
        environ[f"{name}_FILE"] = str(folder / name)
    settings = load_settings(environ)
    for name in set(SECRETS) - {"WIX_PUBLIC_KEY"}:
        assert (
            getattr(settings, name.lower()).get_secret_value()
            == f"canary-of-{name.lower()}-long-enough"
        )
        assert f"canary-of-{name.lower()}" not in repr(settings)


URLS = [
    ("redis://host:6379/0", "redis://:p%40ss%2F@host:6379/0"),
    ("redis://user@host/0", "redis://user:p%40ss%2F@host/0"),
    ("rediss://user:own@host/0", "rediss://user:own@host/0"),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_password_of_its_own_is_put_into_a_url_that_has_none(url: str, expected: str) -> None:
    assert load_settings({"REDIS_URL": url, "REDIS_PASSWORD": "p@ss/"}).broker == expected


def test_database_password_is_put_into_the_url_and_leaves_sqlite_alone() -> None:
    url = "postgresql://user@db:5432/name"
    assert (
        load_settings({"DATABASE_URL": url, "DATABASE_PASSWORD": "p"}).database
        == "postgresql://user:p@db:5432/name"
    )
    sqlite = "sqlite:////tmp/ledger.db"
    assert load_settings({"DATABASE_URL": sqlite, "DATABASE_PASSWORD": "p"}).database == sqlite


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"METRICS_BIND": "127.0.0.1:9700"},
            "METRICS_BIND needs METRICS_TOKEN: metrics are never open",
        ),
        ({"METRICS_TOKEN": "short-secret"}, "METRICS_TOKEN: "),
        ({"RETENTION_INBOX_DAYS": "1"}, "RETENTION_INBOX_DAYS: "),
        ({"GATEWAY_READ_SECONDS": "soon"}, "GATEWAY_READ_SECONDS: "),
    ],
)
def test_wrong_setting_is_told_by_its_name_without_its_value(
    environ: dict[str, str], complaint: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        load_settings(environ)
    assert complaint in str(refused.value)
    assert "short-secret" not in str(refused.value)


@pytest.mark.parametrize("line", ["RECONCILE_AT=\n", "RECONCILE_AT=''\n"])
def test_empty_time_of_the_nightly_sweep_means_never(tmp_path: Path, line: str) -> None:
    """In the environment and in the file; without the line it is the default."""
    needed = {"WIX_APP_ID": "a"}
    assert load_settings({**needed, "RECONCILE_AT": ""}).reconcile_at == ""
    (tmp_path / ".env").write_text(line)
    assert environment(tmp_path)["RECONCILE_AT"] == ""
    assert load_settings(needed).reconcile_at == "03:00"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://www.wixapis.com", WixKind.REVIEWS),
        ("https://www.wixapis.com/", WixKind.REVIEWS),
        ("HTTPS://WWW.WixAPIs.com:443/", WixKind.REVIEWS),
        ("https://www.wixapis.com./", WixKind.REVIEWS),
        ("http://127.0.0.1:9000", WixKind.RATINGS),
        ("https://www.wixapis.com.example.org", WixKind.RATINGS),
        ("https://[www.wixapis.com", WixKind.RATINGS),
    ],
)
def test_new_site_of_wix_itself_uses_reviews(url: str, kind: WixKind) -> None:
    """However its address is written."""
    assert load_settings({"WIX_API_BASE_URL": url}).first_wix_api is kind


@pytest.mark.parametrize("kind", list(WixKind))
def test_api_of_a_new_site_can_be_chosen_wherever_wix_is(kind: WixKind) -> None:
    for url in ("https://www.wixapis.com", "http://127.0.0.1:9000"):
        chosen = {"WIX_API_BASE_URL": url, "WIX_NEW_SITES": str(kind)}
        assert load_settings(chosen).first_wix_api is kind
