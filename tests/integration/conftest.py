"""What more than one file of these tests asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.remote_server import RemoteServer, remote_server


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with remote_server() as remote:
        yield remote
