"""The gateway against a bare Flask route and against the plain Flask + PyJWT + Celery gateway that stores nothing.

All three run under the same gunicorn, one after the other and again, in one run; ours also while Redis is frozen and
dead. The clients share the machine's cores with the servers.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import requests

from benchmarks.ground import Ground, ground
from benchmarks.load import Load, post_all
from sandbox.wix import WixState
from sync_worker import exact_json
from sync_worker.config import load_settings
from sync_worker.embedded_redis import free_port
from sync_worker.processes import Processes, gateway_command

OURS = "webhook_gateway.app:create_app()"
RIVALS = {
    "bare Flask route": "benchmarks.gateway_apps:bare()",
    "Flask + PyJWT + send_task, stores nothing": "benchmarks.gateway_apps:plain()",
}


@dataclass(frozen=True, slots=True)
class Round:
    name: str
    redis: str
    load: Load
    memory_mb: float


def measure(database: str, count: int, clients: int) -> list[Round]:
    """Each server twice with a healthy Redis, then ours with a frozen and with a dead one."""
    wix = WixState()
    bodies = _bodies(wix, count * 4)
    with ground(database) as at:
        environ = at.environ(
            WIX_PUBLIC_KEY=wix.public_key.replace("\n", "\\n"), WIX_APP_ID=wix.app_id, CONNECTORS="", LOG_LEVEL="ERROR"
        )
        rounds = []
        for turn in range(2):
            ours = bodies[turn * count : (turn + 1) * count]
            for name, app in [*RIVALS.items(), ("ratings-sync", OURS)]:
                rounds.append(_round(at, environ, name, app, "healthy", ours, clients))
        os.kill(at.redis.pid, signal.SIGSTOP)
        frozen = bodies[2 * count : 3 * count]
        rounds.append(_round(at, environ, "ratings-sync", OURS, "frozen", frozen, clients))
        os.kill(at.redis.pid, signal.SIGCONT)
        at.redis.kill()
        rounds.append(_round(at, environ, "ratings-sync", OURS, "dead", bodies[3 * count :], clients))
        return rounds


def _bodies(wix: WixState, count: int) -> list[bytes]:
    """Signed webhooks, each of a rating of its own."""
    bodies = []
    for number in range(count):
        rating = {"id": str(uuid.uuid4()), "revision": "1", "attributeName": "overall", "value": number % 101}
        rating |= {"namespace": "reviews", "group": "stores", "entityId": "p", "owner": {"contactId": "c"}}
        event = {
            "id": str(uuid.uuid4()),
            "entityFqdn": "wix.ratings.v1.rating",
            "slug": "created",
            "entityId": rating["id"],
            "createdEvent": {"entity": rating},
            "entityEventSequence": "1",
        }
        data = exact_json.dumps(event)
        bodies.append(wix.signed({"eventType": "x", "instanceId": wix.instance_id, "data": data}))
    return bodies


def _round(
    at: Ground,
    environ: Mapping[str, str],
    name: str,
    app: str,
    redis: str,
    bodies: Sequence[bytes],
    clients: int,
) -> Round:
    port = free_port()
    environ = {**environ, "GATEWAY_BIND": f"127.0.0.1:{port}"}
    processes, _ = load_settings(environ).gateway_pool
    command = gateway_command()
    command[command.index(OURS)] = app
    lines: list[str] = []
    with Processes(lambda who, line: lines.append(line), at.folder) as all_:
        server = all_.start("gateway", command, environ)
        url = f"http://127.0.0.1:{port}/webhooks/wix"
        _wait(url, lines)
        post_all(url, bodies[:50], clients)
        load = post_all(url, bodies[50:], clients)
        return Round(name, redis, load, _memory_mb(server.process.pid) / processes)


def _wait(url: str, lines: Sequence[str]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            requests.get(url, timeout=1)
        except requests.RequestException:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the gateway does not answer:\n" + "\n".join(lines[-20:]))


def _memory_mb(pid: int) -> float:
    """Of all children of gunicorn's master."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        children = file.read().split()
    total = 0.0
    for child in children:
        with open(f"/proc/{child}/status", encoding="utf-8") as file:
            total += next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))
    return total
