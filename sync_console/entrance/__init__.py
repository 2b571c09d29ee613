"""Ways in: login, invitation, logout, and a site's owner from the dashboard of Wix."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from sync_console.entrance.login import login

ENTRANCE: Sequence[Blueprint] = (login,)
