"""What a call to the stand-in Wix brings: its body, and who calls."""

from __future__ import annotations

from typing import Any

from flask import g, request

from sync_sandbox.wix.refusal import Refusal
from sync_worker.core import exact_json


def caller() -> dict[str, str]:
    """Who was let in, as Wix names it."""
    return dict(g.caller)


def body_of() -> dict[str, Any]:
    """Raises Refusal for what is no JSON object."""
    try:
        body = exact_json.loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "body", "must be a JSON object")
    return body


def part_of(name: str) -> dict[str, Any]:
    """One object of the body. Raises Refusal."""
    part = body_of().get(name)
    if not isinstance(part, dict):
        raise Refusal(400, name, "must be an object")
    return part
