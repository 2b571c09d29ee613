"""A stand-in Wix for all tests of a file, and a person and a product that are new to it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from sync_sandbox.control.wix import wix_app
from sync_sandbox.wix.reviews.moderation import Mode
from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import WixClient


@pytest.fixture(scope="module")
def shared_wix() -> Iterator[WixState]:
    state = WixState(rate_per_minute=None)
    yield state
    state.webhooks.stop()


@pytest.fixture
def wix(shared_wix: WixState) -> WixState:
    """With all switches as they are by default."""
    shared_wix.faults.clear()
    shared_wix.reviews.mode = Mode.OFF
    return shared_wix


@pytest.fixture(scope="module")
def shared_app(shared_wix: WixState) -> Flask:
    """To compile its routes takes longer than a test."""
    return wix_app(shared_wix)


@pytest.fixture
def client(wix: WixState, shared_app: Flask) -> WixClient:
    return WixClient(wix, shared_app.test_client())


@pytest.fixture
def ana(wix: WixState) -> str:
    """Contact id of somebody new."""
    return str(wix.add_contact(f"{uuid.uuid4()}@example.com", "Ana")["id"])


@pytest.fixture
def mug() -> str:
    """A product that nobody has reviewed."""
    return str(uuid.uuid4())


@pytest.fixture
def draft(ana: str, mug: str) -> dict[str, Any]:
    """A review that Create Review takes."""
    return {
        "namespace": "stores",
        "entityId": mug,
        "author": {"contactId": ana, "authorName": "Ana M."},
        "content": {"rating": 4, "title": "Good", "body": "Sturdy mug."},
    }
