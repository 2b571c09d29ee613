"""docker-compose.yml and Dockerfile, read as their tools read them: valid, closed, and in step with
the settings.
"""

from __future__ import annotations

from typing import Any

import pytest
from compose_spec import PyCompose

from sync_worker.config import SECRETS, Settings
from tests.fleet_file import ROOT, MissingVariable, as_yaml, read_fleet

FLEET = read_fleet({"WIX_APP_ID": "app-1"})
SERVICES: dict[str, dict[str, Any]] = FLEET["services"]
OURS = ("migrate", "gateway", "worker", "scheduler", "flower", "console")


def test_file_is_valid_by_the_compose_specification() -> None:
    assert set(PyCompose.from_yaml(as_yaml(FLEET)).service_names()) == {*OURS, "redis", "postgres"}


def test_file_without_a_needed_setting_says_which() -> None:
    with pytest.raises(MissingVariable, match=r"fill WIX_APP_ID in .env"):
        read_fleet({})


@pytest.mark.parametrize(
    ("environ", "slots"),
    [
        ({}, "16"),
        ({"WORKER_CONCURRENCY": "32"}, "32"),
        ({"WORKER_SLOTS": "24"}, "24"),
        ({"WORKER_SLOTS": "24", "WORKER_CONCURRENCY": "32"}, "24"),
        ({"WORKER_SLOTS": "", "WORKER_CONCURRENCY": "0"}, "0"),
    ],
)
def test_worker_gets_its_slots_by_the_new_name_alone(environ: dict[str, str], slots: str) -> None:
    """From the older name where only that is given, as in an ``.env`` of the release before."""
    worker = read_fleet({"WIX_APP_ID": "app-1", **environ})["services"]["worker"]
    assert worker["environment"]["WORKER_SLOTS"] == slots
    assert "WORKER_CONCURRENCY" not in worker["environment"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_is_no_root_has_a_read_only_file_system_and_no_capability(name: str) -> None:
    service = SERVICES[name]
    uid, _, gid = service["user"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_service_is_restarted_checked_and_has_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", OURS)
def test_service_gets_settings_that_exist_and_secrets_as_files(
    name: str,
) -> None:
    """A service gets only settings that exist and each secret as a file that is granted."""
    service = SERVICES[name]
    known = {field.upper() for field in Settings.model_fields}
    for variable, value in service["environment"].items():
        assert variable.removesuffix("_FILE") in known
        if variable.endswith("_FILE"):
            assert variable.removesuffix("_FILE") in SECRETS
            assert value.removeprefix("/run/secrets/") in service["secrets"]
        else:
            # Addresses without their passwords are no secrets.
            assert variable not in SECRETS or variable in (
                "DATABASE_URL",
                "REDIS_URL",
                "REDIS_CACHE_URL",
            )
            user, at, _ = str(value).partition("://")[2].partition("@")
            assert not at or ":" not in user


OF_BOTH = ("metrics_token", "postgres_password", "redis_password", "secrets_key")


def test_each_service_gets_no_more_secrets_than_it_needs() -> None:
    assert {name: sorted(service.get("secrets", [])) for name, service in SERVICES.items()} == {
        "migrate": ["postgres_password"],
        "gateway": sorted([*OF_BOTH, "wix_public_key"]),
        "worker": sorted([*OF_BOTH, "wix_app_secret"]),
        "scheduler": ["redis_password"],
        "flower": ["flower_basic_auth", "redis_password"],
        "console": ["postgres_password", "redis_password", "wix_app_secret"],
        "redis": ["redis_password"],
        "postgres": ["postgres_password"],
    }


def test_only_what_people_and_senders_open_is_published_on_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"gateway", "flower", "console"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_what_stores_has_no_way_out() -> None:
    assert FLEET["networks"]["back"] == {"internal": True}
    assert SERVICES["redis"]["networks"] == SERVICES["postgres"]["networks"] == ["back"]


def test_broker_and_cache_are_two_databases() -> None:
    environ = SERVICES["worker"]["environment"]
    assert environ["REDIS_URL"].endswith("/0")
    assert environ["REDIS_CACHE_URL"].endswith("/1")


def test_redis_keeps_its_queue_and_never_evicts() -> None:
    lines = (ROOT / "deploy" / "redis.conf").read_text().splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction"} <= set(lines)


def test_image_is_built_of_what_the_docker_ignore_file_lets_through() -> None:
    copied = {
        word for line in dockerfile("COPY") if "--from" not in line for word in line.split()[1:-1]
    }
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert copied == {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_image_runs_as_the_user_that_the_services_name() -> None:
    (user,) = dockerfile("USER")
    assert user.split()[1] == SERVICES["worker"]["user"]


def dockerfile(word: str) -> list[str]:
    return [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith(word)
    ]
