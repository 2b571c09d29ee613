"""The client of Wix Reviews before a server that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.values import Draft, EntityRef, Person
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.reviews import WixReviews
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.unit.signed import APP_ID, a_review

MUG, ANA = EntityRef("product-1", namespace="stores"), Person(contact_id="contact-1", name="Ana M.")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
BASE = "/reviews/v1/reviews"


def a_draft(stars: str = "4", **changes: Any) -> Draft:
    return Draft({"overall": Decimal(stars)}, MUG, ANA, **changes)


def refused(status: int, code: str = "") -> Reply:
    error = {"applicationError": {"code": code, "description": "", "data": {}}}
    return Reply(status, {"message": "no", "details": error if code else {}})


def answering(**by_method: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: by_method[asked.method]


@pytest.fixture
def reviews(server: RemoteServer) -> WixReviews:
    http = RemoteHttp(
        server.url,
        remote="wix",
        authorization=FixedHeaders({}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True, code_of=error_code),
    )
    server.answer = always(Reply(body={"review": a_review()}))
    return WixReviews(WixApi(http), APP_ID, lambda: NOW)


def sent(server: RemoteServer) -> tuple[str, str, Any]:
    """The last request."""
    asked = server.asked[-1]
    return asked.method, asked.path, asked.json if asked.body else None
