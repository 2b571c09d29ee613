"""The stand-ins' fault switches."""

from __future__ import annotations

import time

import requests

from sync_sandbox.server import Sandbox


def test_no_call_that_is_let_in_is_answered_before_the_latency_is_over() -> None:
    with Sandbox() as box:
        box.reviews.faults.latency_ms = 60
        for path, status in (("/v1/ratings?limit=1", 200), ("/v1/ratings/none", 404)):
            started = time.monotonic()
            headers = {"Authorization": f"Bearer {box.reviews.token}"}
            answer = requests.get(box.reviews_url + path, headers=headers, timeout=5)
            assert answer.status_code == status
            assert time.monotonic() - started >= 0.06
