"""The frame of all pages."""

from __future__ import annotations

import pytest

from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.ADMIN])
def test_somebody_logged_in_sees_the_overview(role: Role, ground: Ground) -> None:
    answer = ground.client(role).get("/")
    assert answer.status_code == 200
    assert f"some {role}" in answer.text


def test_nobody_sees_a_login_page(ground: Ground) -> None:
    answer = ground.anonymous().get("/")
    assert answer.status_code == 401
    assert "login_password" in answer.text
