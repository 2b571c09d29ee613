"""The fleet as docker-compose.yml runs it, without an engine: the wheel that the Dockerfile builds,
in an environment of its own, and each service's very command, settings, secrets and health check,
as processes beside real servers.

What stands for the container: its paths, host names and ports are replaced by those of this test.
"""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis as redis_package
import requests
from redis import Redis

from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.runtime.local.embedded_redis import find_server
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Processes
from tests.fleet_file import ROOT, read_fleet
from tests.unit.signed import APP_ID, OWN_SERVICE, a_token, an_envelope, an_event, claims, pem

REFUSED = "(?i)no permissions|DEBUG command not allowed"
pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

SECRETS = {
    "postgres_password": "pg-canary-1",
    "redis_password": "redis-canary-2",
    "wix_app_secret": "wix-canary-3",
    "metrics_token": "metrics-canary-token-4",
    "flower_basic_auth": "flower:flower-canary-5",
}


def wait_for(condition: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if found := condition():
                return found
        except (requests.RequestException, redis_package.RedisError):
            pass
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def make_wheel(folder: Path) -> Path:
    """The wheel of exactly those files that the Dockerfile copies."""
    source = folder / "source"
    source.mkdir()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for name in line.split()[1:-1]:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "-w", str(folder / "wheel"), str(source)], check=True
    )
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path, *, with_dependencies: bool) -> Path:
    """An environment with the wheel; its dependencies are fetched, or borrowed from the tests' own
    environment.
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "-q",
        "--python",
        str(folder / "bin/python"),
    ]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if with_dependencies:
        subprocess.run([*pip, "install", f"{wheel}[postgres,flower]"], check=True)
        return folder / "bin"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages" / "borrowed.pth").write_text(
        site.getsitepackages()[0] + "\n"
    )
    script = (
        f"#!{folder}/bin/python\nimport sys\nfrom celery.__main__ import main\nsys.exit(main())\n"
    )
    (folder / "bin" / "celery").write_text(script)
    (folder / "bin" / "celery").chmod(0o755)
    return folder / "bin"


@dataclass
class Fleet:
    folder: Path
    tools: Path
    database_url: str
    processes: Processes
    lines: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(
        default_factory=lambda: {n: free_port() for n in ("8700", "5555", "9700", "6379")}
    )

    def __post_init__(self) -> None:
        address = f"127.0.0.1:{self.ports['6379']}"
        variables = {
            "WIX_APP_ID": APP_ID,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"redis://ratings-sync@{address}/0",
            "REDIS_CACHE_URL": f"redis://ratings-sync@{address}/1",
        }
        self.services: dict[str, Any] = read_fleet(variables)["services"]

    def here(self, text: str, service: str) -> str:
        """A container's text, for this machine."""
        places = {
            "/run/secrets/": f"{self.folder}/secrets/",
            "/etc/redis/ratings-sync.conf": f"{self.folder}/redis.conf",
            "/tmp/": f"{self.folder}/tmp-{service}/",  # noqa: S108 - the container's
        }
        text = re.sub("|".join(places), lambda found: places[found[0]], text)
        return re.sub(
            r"(?:0\.0\.0\.0|127\.0\.0\.1):(8700|5555|9700)",
            lambda m: f"127.0.0.1:{self.ports[m[1]]}",
            text,
        )

    def environ(self, service: str) -> dict[str, str]:
        image = dict(
            re.findall(r"(\w+)=(\S+)", (ROOT / "Dockerfile").read_text().partition("ENV PATH")[2])
        )
        given = {
            name: str(value)
            for name, value in self.services[service].get("environment", {}).items()
        }
        connector = OWN_SERVICE if "volumes" in self.services[service] else {}
        everything = {"PYTHONDONTWRITEBYTECODE": "1", **image, **connector, **given}
        here = {name: self.here(value, service) for name, value in everything.items()}
        return {
            **here,
            **{
                name: value for name, value in given.items() if name == "DATABASE_URL"
            },  # a path of this machine
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "HOME": "/nonexistent",
        }

    def command(self, service: str) -> list[str]:
        return [self.here(word, service) for word in self.services[service]["command"]]

    def start(self, service: str) -> None:
        folder = self.folder / f"tmp-{service}"
        folder.mkdir(mode=0o777, exist_ok=True)
        self.processes.folder = folder
        command = self.command(service)
        command[0] = (
            shutil.which(command[0], path=f"{self.tools}:{os.environ['PATH']}") or command[0]
        )
        self.processes.start(service, command, self.environ(service))

    def start_redis(self) -> None:
        """Its entry command and its settings, but for the port and the folder."""
        data = self.folder / "tmp-redis"
        data.mkdir()
        settings = (ROOT / "deploy" / "redis.conf").read_text()
        (self.folder / "redis.conf").write_text(settings.replace("dir /data", f"dir {data}"))
        script = self.here(self.services["redis"]["command"][-1], "redis")
        changed = script.replace("exec redis-server ", f"exec {find_server()} ").rstrip()
        assert changed != script
        port = ["--port", str(self.ports["6379"]), "--bind", "127.0.0.1"]
        command = ["sh", "-ec", f"{changed} {' '.join(port)}"]
        environ = {"PATH": os.environ["PATH"], **self.services["redis"]["environment"]}
        self.processes.start("redis", command, environ)
        wait_for(lambda: self.redis().ping())

    def redis(self, user: str | None = "ratings-sync", database: int = 0) -> Redis:
        return Redis(
            port=self.ports["6379"], username=user, password=SECRETS["redis_password"], db=database
        )

    def is_healthy(self, service: str) -> bool:
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        words = [self.here(word, service) for word in words]
        words[0] = str(self.tools / words[0])
        return (
            subprocess.run(
                words, env=self.environ(service), capture_output=True, timeout=20
            ).returncode
            == 0
        )

    def url(self, port: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def metrics(self, port: str) -> str:
        header = {"Authorization": f"Bearer {SECRETS['metrics_token']}"}
        answer = requests.get(self.url(port, "/metrics"), headers=header, timeout=5)
        assert answer.status_code == 200
        return answer.text

    def stop(self, service: str) -> float:
        """SIGTERM to one; the seconds until it has ended."""
        child = next(child for child in self.processes.children if child.name == service)
        started = time.monotonic()
        child.process.terminate()
        child.process.wait(
            float(str(self.services[service]["stop_grace_period"]).removesuffix("s"))
        )
        return time.monotonic() - started


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(False, id="borrowed dependencies"),
        pytest.param(True, id="fresh dependencies", marks=pytest.mark.long),
    ],
)
def tools(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    return install(make_wheel(folder), folder / "venv", with_dependencies=request.param)


@pytest.fixture
def fleet(tmp_path: Path, tools: Path, empty_postgres_url: str) -> Iterator[Fleet]:
    (tmp_path / "secrets").mkdir()
    made = {"wix_public_key": pem(), "secrets_key": new_key()}
    for name, value in {**SECRETS, **made}.items():
        (tmp_path / "secrets" / name).write_text(value)
    lines: list[str] = []
    with Processes(lambda name, line: lines.append(f"{name} | {line}"), tmp_path) as processes:
        yield Fleet(tmp_path, tools, empty_postgres_url, processes, lines)
    for line in lines[-60:]:
        print(line)  # noqa: T201 - pytest shows it only where a test failed


PARTS = ("gateway", "worker", "scheduler", "flower")


@pytest.mark.own_redis
@pytest.mark.own_postgresql
def test_fleet_starts_serves_tells_and_stops_as_the_compose_file_says(fleet: Fleet) -> None:
    image = files_of(fleet)
    start(fleet)
    take_a_delivery_to_its_end(fleet)
    told = figures_for_the_token_alone(fleet)
    assert_flower_may_only_look(fleet)
    assert_redis_refuses_the_rest(fleet)

    assert fleet.processes.dead() is None
    for part in PARTS:
        fleet.stop(part)
    # A read-only file system: nothing was written outside the temporary folders.
    assert files_of(fleet) == image
    everything = "\n".join(fleet.lines) + told
    assert [secret for secret in SECRETS.values() if secret in everything] == []
    assert "Traceback" not in everything


def files_of(fleet: Fleet) -> list[Path]:
    """Of the image, but for what stands for its fetched dependencies."""
    return sorted(path for path in fleet.tools.parent.rglob("*") if "borrowed" not in path.name)


def start(fleet: Fleet) -> None:
    """Redis, the migration, and then all that serve, until each is healthy."""
    fleet.start_redis()
    migrate = subprocess.run(
        [str(fleet.tools / fleet.command("migrate")[0]), *fleet.command("migrate")[1:]],
        env=fleet.environ("migrate"),
        cwd=fleet.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert migrate.returncode == 0, migrate.stderr
    for part in PARTS:
        fleet.start(part)
    for part in PARTS:
        wait_for(partial(fleet.is_healthy, part), 60)


def take_a_delivery_to_its_end(fleet: Fleet) -> None:
    """From the door to where it is held (no site is there): one request id at the door, one inbox
    id from the door to the worker.
    """
    body = a_token(claims(an_envelope(an_event())))
    answer = requests.post(fleet.url("8700", "/webhooks/wix"), data=body, timeout=5)
    assert answer.json() == {"result": "stored"}
    held = 'ratings_sync_deliveries_held_total{reason="unknown_site"} 1.0'
    wait_for(lambda: held in fleet.metrics("9700"))
    door = [line for line in fleet.lines if '"event": "delivery_stored"' in line]
    assert answer.headers["X-Request-Id"] in door[0]
    assert [
        line
        for line in fleet.lines
        if '"event": "delivery_processed"' in line and '"inbox_id": 1' in line
    ]


def figures_for_the_token_alone(fleet: Fleet) -> str:
    """What the worker tells."""
    stored = 'ratings_sync_gateway_requests_total{result="stored",source="wix"} 1.0'
    assert stored in fleet.metrics("8700")
    told = fleet.metrics("9700")
    for expected in (
        "ratings_sync_ledger_up 1.0",
        "ratings_sync_broker_up 1.0",
        'asked_by="beat"',
        "broker_is_saved 1.0",
    ):
        assert expected in told
    assert requests.get(fleet.url("8700", "/metrics"), timeout=5).status_code == 404
    assert requests.get(fleet.url("9700", "/metrics"), timeout=5).status_code == 404
    return told


def assert_flower_may_only_look(fleet: Fleet) -> None:
    """It asks for its password, and then it may not act."""
    assert requests.get(fleet.url("5555", "/workers"), timeout=5).status_code == 401
    auth = ("flower", "flower-canary-5")
    assert requests.get(fleet.url("5555", "/workers"), auth=auth, timeout=5).status_code == 200
    shutdown = requests.post(
        fleet.url("5555", "/api/worker/shutdown/worker@x"), auth=auth, timeout=5
    )
    assert shutdown.status_code in (401, 403, 404, 405)


def assert_redis_refuses_the_rest(fleet: Fleet) -> None:
    """The fleet's user cannot wipe, reconfigure or stop it, and nobody else gets in."""
    for words in (
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("SHUTDOWN",),
        ("KEYS", "*"),
        ("EVAL", "return 1", "0"),
        ("CLIENT", "LIST"),
        ("GET", "a-key-of-another"),
        ("DEBUG", "SLEEP", "0"),  # a Valkey refuses it to everybody, in words of its own
    ):
        with pytest.raises(redis_package.exceptions.ResponseError, match=REFUSED):
            fleet.redis().execute_command(*words)  # type: ignore[no-untyped-call]  # redis ships no type for it
    with pytest.raises(redis_package.exceptions.AuthenticationError):
        fleet.redis(user=None).ping()
