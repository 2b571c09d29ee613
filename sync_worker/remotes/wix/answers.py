"""What all answers of Wix's REST API have in common. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sync_worker.core.errors import Gone, SyncError, Transient
from sync_worker.remotes.http.calls import Answer

MAX_CODE_LENGTH = 80
MAX_TIME_LENGTH = 40
PAGINGS = ("metadata", "pagingMetadata")


def inside(body: Any, *names: str) -> Any:
    """What lies under these names, one object in the other; ``None`` where there is no such."""
    found = body
    for name in names:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def objects_in(body: Any, name: str) -> list[Any]:
    """A list under a name; empty where there is none."""
    found = inside(body, name)
    return found if isinstance(found, list) else []


def moment_of(value: Any) -> datetime | None:
    """A time in UTC: ISO 8601 with 3 to 9 digits of a second. ``None`` for anything else."""
    if not isinstance(value, str) or len(value) > MAX_TIME_LENGTH:
        return None
    try:
        time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
        # In UTC the text has one length, and a time without a zone is one like the others.
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def error_code(body: Any) -> str:
    """The application's code in an error of Wix, or OAuth's; empty if there is none."""
    application = inside(body, "details", "applicationError")
    # OAuth's form, which Wix's token endpoint has. All other calls name an application error.
    code = inside(body, "error")
    if isinstance(application, Mapping):
        code = application.get("code")
    return code[:MAX_CODE_LENGTH] if isinstance(code, str) else ""


def application_code(body: Any) -> str:
    """The code of an application error in Wix's envelope; empty if there is none."""
    code = inside(body, "details", "applicationError", "code")
    return code if isinstance(code, str) else ""


def gone_if_said(*kinds: str) -> Callable[[Answer], SyncError | None]:
    """For calls by id of records of these kinds: gone, if Wix says so in its own envelope.

    Wix documents the class NOT_FOUND, and codes such as CONTACT_NOT_FOUND. Any other 404 is an
    outage: a path that is not served, an app or a site that is not there just now.
    https://dev.wix.com/docs/rest/articles/get-started/errors
    """
    codes = {"NOT_FOUND", *(f"{kind}_NOT_FOUND" for kind in kinds)}

    def outcome(answer: Answer) -> SyncError | None:
        is_said = answer.status == 404 and application_code(answer.body) in codes
        return Gone() if is_said else None

    return outcome


def listed_in(body: Any, name: str) -> list[Any]:
    """The rows of a query. Raises Transient for what is no answer of a query.

    A list that is empty may be left out, its paging is not.
    """
    rows = inside(body, name)
    if isinstance(rows, list):
        return rows
    is_paged = any(isinstance(inside(body, paging), Mapping) for paging in PAGINGS)
    if rows is None and is_paged:
        return []
    raise Transient(f"Wix answered a query without {name}")
