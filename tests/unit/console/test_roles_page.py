"""docs/console.md says who may do what, as the code has it."""

from __future__ import annotations

from pathlib import Path

from sync_worker.services.access.who import OF_INSTALLATION, RIGHTS, Right, Role

PAGE = Path(__file__).parents[3] / "docs" / "console.md"


def table() -> str:
    """The rows as the page has them: one for each right, a column for each role."""
    rows = []
    for right in Right:
        cells = ["yes" if right in RIGHTS[role] else "–" for role in Role]
        rows.append(f"| `{right}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def test_page_has_the_rights_of_each_role() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")


def test_rights_of_the_installation_are_no_owner_s() -> None:
    assert not OF_INSTALLATION & RIGHTS[Role.OWNER]
    assert RIGHTS[Role.VIEWER] < RIGHTS[Role.SUPPORT] < RIGHTS[Role.ADMIN]
