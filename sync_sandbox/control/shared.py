"""What the controls of all stand-ins share: counters, journal, faults, webhooks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.platforms.platform import Platform
from sync_sandbox.reviews import ReviewsState
from sync_sandbox.wix.state import WixState
from sync_worker.core import exact_json

VISITOR = "visitor"


def answer(body: Any, status: int = 200) -> Response:
    return Response(exact_json.dumps(body), status, mimetype="application/json")


def body_of() -> dict[str, Any]:
    """JSON, or the fields of the page's form."""
    if request.form:
        return {name: value for name, value in request.form.items() if value != ""}
    body = exact_json.loads(request.get_data() or b"{}")
    return body if isinstance(body, dict) else {}


def done(result: Any) -> BaseResponse:
    """Back to the page after a form, else the result as JSON."""
    return redirect("/") if request.form else answer(result)


def add_shared(app: Blueprint, state: WixState | ReviewsState | Platform) -> None:
    """What both sides offer: counters, journal, faults, webhooks."""

    @app.get("/sandbox/counters")
    def counters() -> Response:
        return answer({"calls": dict(state.calls), "faults": dict(state.faults.struck)})

    @app.get("/sandbox/journal")
    def journal() -> Response:
        return answer(state.journal)

    @app.get("/sandbox/faults")
    def faults() -> Response:
        return answer(state.faults.as_json())

    @app.put("/sandbox/faults")
    @app.post("/sandbox/faults")
    def set_faults() -> BaseResponse:
        body = body_of()
        if request.form:
            body = {
                str(body.get("name")): {
                    "next": body.get("next", 0),
                    "chance": body.get("chance", 0),
                }
            }
        try:
            state.faults.update(body)
        except (KeyError, TypeError, ValueError) as error:
            return answer({"error": f"unknown fault or value: {error}"}, 400)
        return done(state.faults.as_json())

    _add_webhooks(app, state)


def _add_webhooks(app: Blueprint, state: WixState | ReviewsState | Platform) -> None:
    @app.get("/sandbox/webhooks")
    def webhooks() -> Response:
        sent = state.webhooks.sent[-500:]
        rows = [
            {
                "event_id": sending.event_id,
                "remote_id": sending.remote_id,
                "statuses": sending.statuses,
            }
            for sending in sent
        ]
        return answer({"pending": state.webhooks.pending(), "sent": rows})

    @app.post("/sandbox/webhooks/flush")
    def flush() -> BaseResponse:
        return done({"flushed": state.webhooks.flush(30)})

    @app.post("/sandbox/webhooks/redeliver")
    def redeliver() -> BaseResponse:
        return done({"redelivered": state.webhooks.again(str(body_of().get("id")))})
