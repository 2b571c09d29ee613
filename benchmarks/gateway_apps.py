"""What the gateway is measured against: a route that does nothing, and the gateway that tutorials
build.
"""

from __future__ import annotations

import os
import sys

import jwt
from celery import Celery
from flask import Flask, Response, jsonify, request

from webhook_gateway.serve import run


def bare() -> Flask:
    """Takes the body, answers 200."""
    app = Flask("bare")

    @app.post("/webhooks/wix")
    def receive() -> Response:
        request.get_data()
        return jsonify(result="ok")

    return app


def plain() -> Flask:
    """Verifies the JWT and calls ``send_task``, with Celery's own defaults; stores nothing."""
    app = Flask("plain")
    key = os.environ["WIX_PUBLIC_KEY"].replace("\\n", "\n")
    celery = Celery("plain", broker=os.environ["REDIS_URL"])

    @app.post("/webhooks/wix")
    def receive() -> Response:
        claims = jwt.decode(request.get_data(), key, algorithms=["RS256"])
        celery.send_task("plain.receive", args=[claims["data"]])
        return jsonify(result="ok")

    return app


if __name__ == "__main__":  # ``python -m benchmarks.gateway_apps bare``, served as the gateway is
    sys.exit(run({"bare": bare, "plain": plain}[sys.argv[1]]))
