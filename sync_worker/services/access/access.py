"""All of access, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.services.access.forms import Forms
from sync_worker.services.access.people import People
from sync_worker.services.access.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Access:
    """Who comes in, and what they send."""

    people: People
    sessions: Sessions
    forms: Forms
