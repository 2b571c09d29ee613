"""Ways in: login, one-time link, logout, and a site's owner from the dashboard of Wix."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from sync_console.entrance.invitation import invitation
from sync_console.entrance.language import language
from sync_console.entrance.login import login
from sync_console.entrance.owner import owner

ENTRANCE: Sequence[Blueprint] = (login, invitation, owner, language)
