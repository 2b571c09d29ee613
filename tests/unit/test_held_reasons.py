"""docs/held.md explains every reason for which a delivery can be held."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_worker.core.errors import Unauthorized
from sync_worker.core.hold_reasons import (
    ACCOUNT_LOCKED,
    ACCOUNT_PAUSED,
    FOR_AN_ACCOUNT,
    FREES_ITSELF,
    HOLD_REASONS,
    STANDS_BY,
    HoldReason,
    Way,
    hold_reason,
)
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING
from sync_worker.core.values import SiteState

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "held.md").read_text(encoding="utf-8")
SAID_BY = {"Held", "Hold"}  # the first argument is the reason
# What a file has that gives a reason: the others need no parsing.
GIVES = re.compile(r"\b(Held|Hold|by_rule|Permanent|Closing)\(|\.held\b")


def reasons_in(path: Path) -> Iterator[str]:
    """Reasons written out: Held("…"), Hold("…"), Permanent(…, reason="…"), Closing(HELD, "…"),
    x.held = "…".
    """
    text = path.read_text(encoding="utf-8")
    if not GIVES.search(text):
        return
    tree = ast.parse(text)
    constants = {
        target.id: str(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and _is_text(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "attr", "") == "held"
            and _is_text(node.value)
        ):
            yield str(ast.literal_eval(node.value))
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0] if node.args else None
        if name in SAID_BY and first is not None and _is_text(first):
            yield str(ast.literal_eval(first))
        if name in SAID_BY and isinstance(first, ast.Name) and first.id in constants:
            yield constants[first.id]
        if name == "by_rule" and ast.unparse(node.args[0]).endswith(
            "first_difference"
        ):  # a policy that may hold
            yield str(ast.literal_eval(node.args[1]))
        if name == "Permanent":
            reasons = [
                one.value for one in node.keywords if one.arg == "reason" and _is_text(one.value)
            ]
            yield str(ast.literal_eval(reasons[0])) if reasons else "refused"
        if (
            name == "Closing"
            and first is not None
            and ast.unparse(first) == "InboxState.HELD"
            and len(node.args) > 1
        ):
            yield from [str(ast.literal_eval(one)) for one in node.args[1:] if _is_text(one)]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.fixture(scope="module")
def reasons() -> list[str]:
    """All that the code gives, in order."""
    written = {
        reason for path in (ROOT / "sync_worker").rglob("*.py") for reason in reasons_in(path)
    }
    by_state = {f"site_{state}" for state in SiteState if state is not SiteState.ACTIVE}
    of_accounts = {ACCOUNT_PAUSED, ACCOUNT_LOCKED, *FOR_AN_ACCOUNT}
    written |= by_state | of_accounts
    return sorted(written | {"misconfigured", ACCOUNT_FAILING, Unauthorized().reason})


def test_the_code_gives_the_reasons_that_this_test_knows_of(reasons: list[str]) -> None:
    known = {
        "unknown_contact",
        "fight",
        "off_scale",
        "attempts_exhausted",
        "normalised_by_remote",
        "malformed_record",
    }
    assert known <= set(reasons)


@pytest.mark.parametrize("reason", HOLD_REASONS.values(), ids=HOLD_REASONS)
def test_the_page_says_what_the_table_says(reason: HoldReason) -> None:
    """One source: commands and the console print the table's words."""
    row = f"| `{reason.name}` | **{reason.title}.** {reason.sentence} | {reason.advice} |"
    assert row in PAGE.splitlines()
    assert all(len(words) > 10 for words in (reason.title, reason.sentence, reason.advice))


def test_reason_of_a_newer_version_is_still_spoken_of() -> None:
    unknown = hold_reason("moon_is_full")
    assert (unknown.title, unknown.way) == ("Moon is full", Way.RELEASE)


def test_every_reason_says_when_it_frees_itself(reasons: list[str]) -> None:
    assert sorted(FREES_ITSELF) == reasons
    assert FREES_ITSELF.keys() >= STANDS_BY


def test_the_page_says_when_each_reason_frees_itself_as_the_code_does() -> None:
    table = PAGE.partition("## When a hold frees itself")[2]
    rows = re.findall(r"^\| ([^|]+) \| ((?:`[a-z_]+`(?:, )?)+) \|$", table, re.MULTILINE)
    said = {reason: when for when, reasons in rows for reason in re.findall("[a-z_]+", reasons)}
    assert said == dict(FREES_ITSELF)


def test_the_page_explains_no_reason_that_the_code_does_not_give(reasons: list[str]) -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE)
    assert sorted(explained) == reasons
