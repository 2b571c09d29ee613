"""Fault switches: by chance, or for the next so many occasions. All chances come from one seed."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.datastructures import ImmutableMultiDict, MultiDict

HTTP_FAULTS = {
    "request_lost": "the connection closes before the request has an effect",
    "response_lost": "the request has its effect, then the connection closes",
    "gateway_timeout": "the request has its effect, then the answer is 504",
    "unavailable": "503 with an HTML body, no effect",
    "no_route": "404 in JSON, as of a path that is not served, no effect",
    "page_not_found": "404 with a page, no effect",
    "challenge": "403 with a page that wants a captcha, no effect",
    "page": "200 with a page, no effect",
    "null": "200 with JSON's null, no effect",
    "error_inside": "200 with an error in it, no effect",
    "limited": "429 with Retry-After: 1, no effect",
    "limited_silently": "429 without Retry-After, no effect",
    "hang": "no answer for 30 seconds",
    "drip": "the answer comes one byte at a time",
    "redirect": "302 to another host",
    "paging_ignored": "a listing shows its first page, whatever page is asked for",
}
# What stands in front of an API says, or a part of it that is switched off: WordPress without a
# plugin, a theme's page, a proxy, a challenge.
FALSE_ANSWERS = {
    "no_route": (404, '{"code":"rest_no_route","data":{"status":404}}', "application/json"),
    "page_not_found": (404, "<html>Page not found</html>", "text/html"),
    "challenge": (403, "<html>Just a moment...</html>", "text/html"),
    "page": (200, "<html>We will be back soon</html>", "text/html"),
    "null": (200, "null", "application/json"),
    "error_inside": (
        200,
        '{"error":"database","message":"","details":{"applicationError":{"code":"ERROR"}}}',
        "application/json",
    ),
}
WEBHOOK_FAULTS = {
    "webhook_dropped": "this webhook is never sent",
    "webhook_duplicated": "this webhook is sent twice",
    "webhook_delayed": "this webhook waits, so that later ones overtake it",
    "webhook_forged": "the signature is broken",
}
WIX_FAULTS = {
    "find_lags": "queries do not show what was written in the last second",
    "identity_missing": "webhooks carry no identity",
    "entity_as_json": "webhooks carry the older entityAsJson form",
    "rating_owner": "webhooks say ratingOwner instead of owner",
    "member_owner": "ratings by members carry only their memberId",
    "slug_delete": "the delete event's slug is 'delete'",
}
REVIEW_FAULTS = {
    "rounds": "scores are rounded to whole stars",
    "moderates": "new ratings wait in the queue",
    "no_subjects": "what can be rated is not listed, as by services of the earlier contract",
}


# Query parameters by which the stand-ins are asked for a page.
PLACES = ("page", "offset", "cursor")

Watch = Callable[[str, str], Response | None]


class Faults:
    """The switches of one side. ``set(name, chance=0.1)`` or ``set(name, next=3)``; thread-safe.

    ``watch(moment, call)`` is called as a call has ``arrived`` and again when it is ``done``,
    before its answer is sent (``call``: ``POST /v1/ratings``); what it returns is answered instead.
    ``defaults``: the chances of switches that are on unless somebody turns them off.
    """

    def __init__(
        self, names: Mapping[str, str], seed: int = 0, defaults: Mapping[str, float] | None = None
    ) -> None:
        self.names = names
        self._defaults = dict(defaults or {})
        self.latency_ms = 0.0
        self.watch: Watch | None = None
        self._random = random.Random(seed)
        self._chances = dict(self._defaults)
        self._next: Counter[str] = Counter()
        self._turn = threading.Lock()
        self.struck: Counter[str] = Counter()

    def set(self, name: str, *, chance: float = 0.0, next: int = 0) -> None:
        """Raises KeyError for a name that this side does not have."""
        if name not in self.names:
            raise KeyError(name)
        with self._turn:
            self._chances[name], self._next[name] = chance, next

    def clear(self) -> None:
        with self._turn:
            self._chances = dict(self._defaults)
            self._next.clear()
            self.latency_ms = 0.0

    def strikes(self, name: str) -> bool:
        """Whether the fault happens on this occasion."""
        with self._turn:
            if self._next[name] > 0:
                self._next[name] -= 1
                self.struck[name] += 1
                return True
            chance = self._chances.get(name, 0.0)
            if chance and self._random.random() < chance:
                self.struck[name] += 1
                return True
            return False

    def as_json(self) -> dict[str, Any]:
        with self._turn:
            switches = {
                name: {
                    "chance": self._chances.get(name, 0.0),
                    "next": self._next[name],
                    "means": meaning,
                }
                for name, meaning in self.names.items()
            }
        return {"latency_ms": self.latency_ms, "switches": switches}

    def update(self, changes: Mapping[str, Any]) -> None:
        """``{"latency_ms": 80, "limited": {"next": 2}, "response_lost": 0.1}``.

        Raises KeyError, TypeError.
        """
        for name, value in changes.items():
            if name == "latency_ms":
                self.latency_ms = float(value)
            elif isinstance(value, Mapping):
                self.set(
                    name, chance=float(value.get("chance", 0.0)), next=int(value.get("next", 0))
                )
            else:
                self.set(name, chance=float(value))


def install(app: Flask, faults: Faults, prefixes: tuple[str, ...]) -> None:
    """Let the HTTP faults strike on an app's API calls (not on its control endpoints).

    ``latency_ms`` is the time until the answer of a call that is let in, work included: half goes
    by before the work.
    """

    @app.before_request
    def before() -> Response | None:
        if not request.path.startswith(prefixes):
            return None
        if not request.args.keys().isdisjoint(PLACES) and faults.strikes("paging_ignored"):
            request.args = _without_place(request.args)
        g.latency_ends_at = time.monotonic() + faults.latency_ms / 1000
        time.sleep(faults.latency_ms / 2000)  # the way there
        watched = faults.watch and faults.watch("arrived", f"{request.method} {request.path}")
        return watched or _refusal(faults)

    @app.after_request
    def after(response: Response) -> Response:
        if not request.path.startswith(prefixes):
            return response
        time.sleep(max(0.0, g.get("latency_ends_at", 0.0) - time.monotonic()))
        if response.status_code >= 400:
            return response
        if faults.watch and (watched := faults.watch("done", f"{request.method} {request.path}")):
            return watched
        if faults.strikes("response_lost"):
            _hang_up()
        elif faults.strikes("gateway_timeout"):
            return Response("<html>Gateway Timeout</html>", 504, mimetype="text/html")
        elif faults.strikes("drip"):
            body = response.get_data()
            return Response(_drip(body), response.status_code, mimetype="application/json")
        return response


def _without_place(asked: MultiDict[str, str]) -> ImmutableMultiDict[str, str]:
    kept = [(name, value) for name, value in asked.items(multi=True) if name not in PLACES]
    return ImmutableMultiDict(kept)


def _refusal(faults: Faults) -> Response | None:
    if faults.strikes("request_lost"):
        _hang_up()
        return Response(status=500)
    if faults.strikes("hang"):
        time.sleep(30)
        return Response(status=500)
    if faults.strikes("unavailable"):
        return Response("<html>Service Unavailable</html>", 503, mimetype="text/html")
    for name, (status, body, kind) in FALSE_ANSWERS.items():
        if faults.strikes(name):
            return Response(body, status, mimetype=kind)
    if faults.strikes("redirect"):
        return Response(status=302, headers={"Location": "http://192.0.2.1/"})
    for name, headers in (("limited", {"Retry-After": "1"}), ("limited_silently", {})):
        if faults.strikes(name):
            answer = jsonify(message="resource exhausted", details={})
            answer.status_code = 429
            answer.headers.update(headers)
            return answer
    return None


def _hang_up() -> None:
    """Close the connection under the request."""
    sock = request.environ.get("werkzeug.socket")
    if isinstance(sock, socket.socket):
        sock.shutdown(socket.SHUT_RDWR)


def _drip(body: bytes) -> Iterator[bytes]:
    for index in range(len(body)):
        time.sleep(0.2)
        yield body[index : index + 1]
