"""Errors that a system tells with success: their envelope, where a record is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Each names an error by itself; the others only beside what explains it.
ERRORS = ("error", "errors", "fault", "exception")
CODES, WORDS = ("code", "status", "statusCode"), ("message", "detail", "title")
FLAGS = ("success", "ok")
# Codes that come with a record, too: `{"code": 0, "message": "ok", "data": {…}}`.
DONE = frozenset({"", "0", "200", "201", "ok", "success"})


def is_error_envelope(body: Any) -> bool:
    """Whether a body that is no record is an error: it says nothing of the record asked for."""
    if not isinstance(body, Mapping):
        return False
    if any(body.get(name) for name in ERRORS):
        return True
    if any(body.get(name) is False for name in FLAGS):
        return True
    return any(name in body for name in CODES) and any(name in body for name in WORDS)


def tells_error(body: Any) -> bool:
    """Whether an envelope tells an error around whatever it holds."""
    if not isinstance(body, Mapping) or not is_error_envelope(body):
        return False
    codes = {str(body[name]).lower() for name in CODES if body.get(name) is not None}
    is_explained_by_code = not any(body.get(name) for name in ERRORS) and all(
        body.get(name) is not False for name in FLAGS
    )
    return not (is_explained_by_code and codes <= DONE)
