"""Programs that ask the JSON API: whose token it is, how often it may ask, and errors for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, g, jsonify, request
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from sync_console.web.limits import Limits
from sync_console.web.parts import parts
from sync_worker.services.access.secrets import hash_of

API = "/api/v1"
BEARER = re.compile(r"bearer +([\x21-\x7e]{1,256})", re.IGNORECASE)
# https://www.rfc-editor.org/rfc/rfc9457
PROBLEM = "application/problem+json"
REALM = 'Bearer realm="ratings-sync"'


def is_program() -> bool:
    """Whether the request is for the API: it has no cookie, no form and no page of errors."""
    return request.path == API or request.path.startswith(f"{API}/")


def find_token() -> None:
    """Before each request of a program: whose it is. Raises TooManyRequests."""
    if not is_program():
        return
    given = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    if given is None:
        return
    who = parts().access.tokens.who(given[1])
    if who is None:
        return
    g.token, g.who = given[1], who
    limits: Limits = current_app.extensions["console_limits"]
    # What is counted by is no secret.
    seconds = limits.seconds_until_free(hash_of(g.token))
    if seconds:
        raise TooManyRequests(
            "This token has asked as often as it may for now.", retry_after=seconds
        )


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """An error as programs read it; ``more``: further keys."""
    answer = jsonify({"type": "about:blank", "title": title, "status": status, "detail": detail})
    if more:
        answer = jsonify({**(answer.get_json() or {}), **more})
    answer.status_code, answer.content_type = status, PROBLEM
    if status == 401:
        known = request.headers.get("Authorization")
        answer.headers["WWW-Authenticate"] = f'{REALM}, error="invalid_token"' if known else REALM
    return answer


class NotAsked(Exception):
    """What a program sent is not as it should be; ``errors``: why, by the field's name."""

    def __init__(self, errors: Mapping[str, str], status: int = 422) -> None:
        self.errors, self.status = dict(errors), status
        super().__init__("; ".join(f"{name}: {words}" for name, words in errors.items()))


def not_asked(error: NotAsked) -> Response:
    errors = [{"field": name, "message": words} for name, words in error.errors.items()]
    return problem(error.status, "That is not as it should be", str(error), errors=errors)


def init_app(app: Flask, limits: Limits) -> None:
    app.extensions["console_limits"] = limits
    app.before_request(find_token)
    app.register_error_handler(NotAsked, not_asked)
