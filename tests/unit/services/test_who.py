"""Roles and rights, whole."""

from __future__ import annotations

import pytest

from sync_worker.services.access.who import OF_INSTALLATION, Forbidden, Right, Role, Who

OF_ROLE: dict[Role, set[str]] = {
    Role.VIEWER: {"look"},
    Role.SUPPORT: {"look", "see_addresses", "release", "decide", "map", "dry_run"},
    Role.ADMIN: set(map(str, Right)),
    Role.OWNER: set(map(str, Right)) - set(map(str, OF_INSTALLATION)),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("right", Right)
def test_role_has_its_rights_and_no_others(role: Role, right: Right) -> None:
    who = Who("ann", role, 7 if role is Role.OWNER else None)
    assert who.may(right, 7) == (right in OF_ROLE[role])


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("site_id", [8, None])
def test_owner_may_nothing_elsewhere(right: Right, site_id: int | None) -> None:
    with pytest.raises(Forbidden, match="may not do this here"):
        Who("wix:ann", Role.OWNER, 7).check(right, site_id)


def test_owner_without_a_site_is_nobody() -> None:
    with pytest.raises(ValueError, match="has a site"):
        Who("wix:ann", Role.OWNER)
