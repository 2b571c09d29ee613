"""Each process alone, by environment only, with the plain commands of the ecosystem."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.queue import producer_of
from sync_sandbox.stage import Stage
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Processes
from tests.end_to_end.conftest import StageMaker
from tests.unit.signed import APP_ID, OWN_SERVICE, a_token, an_envelope, an_event, claims, pem

pytestmark = pytest.mark.full

PRODUCTS = {"beans": "SKU-1"}


def wait_for(condition: Any, seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if found := condition():
                return found
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def test_plain_commands_serve_by_environment_only(
    tmp_path: Path, environ: dict[str, str], redis_server: EmbeddedRedis
) -> None:
    """gunicorn, celery worker and celery beat; one delivery goes from the door to its end (held: no
    site is there).
    """
    bind = f"127.0.0.1:{free_port()}"
    lines: list[str] = []
    settings = {
        **environ,
        **OWN_SERVICE,
        "RATINGS_SYNC_HOME": str(tmp_path / "home"),
        "REDIS_URL": redis_server.url,
        "WIX_APP_ID": APP_ID,
        "WIX_PUBLIC_KEY": pem().replace("\n", "\\n"),
        "GUNICORN_CMD_ARGS": f"--bind {bind} --worker-class gthread --threads 8",
    }
    commands = {
        "gateway": ["-m", "gunicorn", "webhook_gateway.app:create_app()"],
        "worker": ["-m", "celery", "-A", "sync_worker.tasks", "worker"],
        "beat": ["-m", "celery", "-A", "sync_worker.tasks", "beat"],
    }
    with Processes(lambda name, line: lines.append(f"{name} {line}"), tmp_path) as processes:
        for name, command in commands.items():
            processes.start(name, command, settings)
        wait_for(lambda: requests.get(f"http://{bind}/readyz", timeout=2).ok)
        body = a_token(claims(an_envelope(an_event())))
        assert requests.post(f"http://{bind}/webhooks/wix", data=body, timeout=5).json() == {
            "result": "stored"
        }
        wait_for(lambda: [line for line in lines if "held unknown_site" in line])
        assert processes.dead() is None
    assert [line for line in lines if "Traceback" in line] == []


def test_flower_tells_how_each_delivery_ended(make_stage: StageMaker) -> None:
    """By its rating, its end and a state to filter by; ticks that found nothing leave no row."""
    port = free_port()
    stage = make_stage(PRODUCTS, flower_port=port)
    flower = f"http://127.0.0.1:{port}"
    wait_for(lambda: requests.get(flower, timeout=2).ok)
    # It must listen before there is something to hear.
    wait_for(lambda: "worker1@" in requests.get(f"{flower}/workers", timeout=5).text)
    ada = stage.add_person("ada@example.com", "Ada")
    wix_id = stage.rate_on_wix(ada, "beans", 80)
    assert stage.wait_until(lambda: not stage.differences() and len(stage.rated()) == 1, 60)
    stage.rate_on_external("nobody@example.com", "Nobody", "beans", Decimal(2))  # no such contact
    stage.box.reviews.faults.set("unavailable", next=8)
    stage.change_on_wix(wix_id, 40)
    crossed = {("beans", "ada@example.com"): Decimal(2)}
    assert stage.wait_until(lambda: stage.rated_outside().items() >= crossed.items(), 60)
    ends = wait_for(lambda: _ends(flower, {"SUCCESS", "RETRY", "FAILURE"}))
    assert {result for result, _ in ends["SUCCESS"]} <= {"synced", "in_step", "suppressed"}
    assert ("held unknown_contact", "external") in {
        (result, args.split()[1]) for result, args in ends["FAILURE"]
    }
    assert any(result.startswith("retry") for result, _ in ends["RETRY"])
    assert any(f" wix upsert {wix_id[:8]} · site " in args for _, args in ends["SUCCESS"])
    assert "example.com" not in str(ends)
    for state in ("SUCCESS", "RETRY", "FAILURE"):
        assert {task["state"] for task in _tasks(flower, f"state:{state}")} == {state}
    ticks = {task["result"] for task in _tasks(flower) if "sync_delivery" not in task["name"]}
    assert "" not in ticks, "a tick that did nothing has a row"
    assert None not in ticks, "a tick that did nothing has a row"
    _assert_each_of_several_is_found(stage, flower)


def _assert_each_of_several_is_found(stage: Stage, flower: str) -> None:
    """By the search that the console's link opens; a number is not found in a longer one."""
    producer = producer_of(stage.redis_url)
    producer.send_task(DELIVERY_TASK, args=[81234, 81235], queue="sync")
    producer.close()
    (found,) = wait_for(lambda: _tasks(flower, f'{DELIVERY_TASK} args:"#81235 "'))
    shown = "#81234 not read closed_already; #81235 not read closed_already"
    assert (found["state"], found["result"], found["args"]) == ("IGNORED", "closed_already", shown)
    assert _tasks(flower, f'{DELIVERY_TASK} args:"#8123 "') == []


def _ends(flower: str, states: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Result and arguments of the deliveries' tasks, by state; empty until all these are there."""
    ends: dict[str, list[tuple[str, str]]] = {}
    for task in _tasks(flower):
        if task["name"].endswith("sync_delivery"):
            ends.setdefault(task["state"], []).append((task["result"], task["args"]))
    return ends if states <= set(ends) else {}


def _tasks(flower: str, search: str = "") -> list[dict[str, Any]]:
    columns = {
        f"columns[{i}][data]": name for i, name in enumerate(("name", "uuid", "state", "args"))
    }
    query = {
        "draw": 1,
        "start": 0,
        "length": 50,
        "search[value]": search,
        "order[0][column]": 0,
        "order[0][dir]": "asc",
    }
    answer = requests.post(f"{flower}/tasks/datatable", data={**columns, **query}, timeout=5)
    rows: list[dict[str, Any]] = answer.json()["data"] if answer.ok else []
    return rows


def test_dead_gateway_and_worker_are_started_again(make_stage: StageMaker) -> None:
    import threading

    stage = make_stage(PRODUCTS)
    ada = stage.add_person("ada@example.com", "Ada")
    is_over = threading.Event()
    watcher = threading.Thread(target=stage.parts.watch, args=(is_over.is_set, 0.1))
    watcher.start()
    try:
        for name in ("gateway", "worker 1"):
            stage.parts.kill(name)
        stage.rate_on_wix(ada, "beans", 40)
        assert stage.wait_until(lambda: not stage.differences() and len(stage.rated()) == 1, 60)
    finally:
        is_over.set()
        watcher.join()


@pytest.mark.own_redis
def test_redis_wiped_in_between_costs_nothing(make_stage: StageMaker) -> None:
    """The broker forgets the queue, the guard, the token: the sweeper rings again, the ledger knows
    the rest.
    """
    from redis import Redis

    stage: Stage = make_stage(PRODUCTS)
    ada = stage.add_person("ada@example.com", "Ada")
    with Redis.from_url(stage.redis_url) as redis:
        stage.rate_on_wix(ada, "beans", 80)
        redis.flushall()
        assert stage.wait_until(lambda: not stage.differences() and len(stage.rated()) == 1, 60)
        redis.flushall()
        stage.box.wix.webhooks.again(stage.wix_id("ada@example.com", "beans"))
        stage.box.reviews.webhooks.again(stage.external_id("ada@example.com", "beans"))
        assert stage.wait_until(stage.is_quiet, 60)
    assert stage.writes() == {"visitor": 1, "app": 1}


@pytest.mark.parametrize(
    "missing", ["REDIS_URL", pytest.param("WIX_PUBLIC_KEY", marks=pytest.mark.full)]
)
def test_process_without_a_needed_setting_says_which(
    tmp_path: Path, environ: dict[str, str], missing: str
) -> None:
    settings = {
        **environ,
        **OWN_SERVICE,
        "RATINGS_SYNC_HOME": str(tmp_path / "home"),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "WIX_PUBLIC_KEY": pem().replace("\n", "\\n"),
    }
    del settings[missing]
    script = "from webhook_gateway.app import create_app; create_app()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert missing in done.stderr.splitlines()[-1]


def test_celeryconfig_in_the_working_folder_replaces_no_setting(
    tmp_path: Path, environ: dict[str, str], redis_server: EmbeddedRedis
) -> None:
    """Celery would load any module of that general name: a folder could turn pickle on and late
    acks off.
    """
    was_run = tmp_path / "was-run"
    (tmp_path / "celeryconfig.py").write_text(
        f"open({str(was_run)!r}, 'w').close()\naccept_content = ['pickle', 'json']\ntask_acks_late"
        " = False\n"
    )
    settings = {
        **environ,
        **OWN_SERVICE,
        "RATINGS_SYNC_HOME": str(tmp_path / "home"),
        "REDIS_URL": redis_server.url,
        "REDIS_KEY_PREFIX": "hostile-folder:",
    }
    celery = ["-m", "celery", "-A", "sync_worker.tasks"]

    def configuration() -> dict[str, Any] | None:
        asked = subprocess.run(
            [sys.executable, *celery, "inspect", "conf", "--json", "--timeout", "2"],
            env=settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        answers = json.loads(asked.stdout) if asked.returncode == 0 else {}
        return next(iter(answers.values()), None)

    with Processes(lambda name, line: None, tmp_path) as processes:
        processes.start("worker", [*celery, "worker"], settings)
        found = wait_for(configuration, 60)
    assert (found["accept_content"], found["task_acks_late"]) == (["json"], True)
    assert not was_run.exists()
