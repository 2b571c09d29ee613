"""What all answers of Wix's REST API have in common. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core.errors import Gone, SyncError
from sync_worker.remotes.http.calls import Answer

MAX_CODE_LENGTH = 80


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


def error_code(body: Any) -> str:
    """The application's code in an error of Wix, or OAuth's; empty if there is none."""
    application = inside(body, "details", "applicationError")
    # OAuth's form, which Wix's token endpoint has. All other calls name an application error.
    code = inside(body, "error")
    if isinstance(application, Mapping):
        code = application.get("code")
    return code[:MAX_CODE_LENGTH] if isinstance(code, str) else ""


def gone_on_404(answer: Answer) -> SyncError | None:
    """For calls by id: no such record is an answer, not a failure."""
    return Gone() if answer.status == 404 else None
