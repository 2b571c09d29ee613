"""Tokens of programs, for programs: listed and ended; only a command makes one."""

from __future__ import annotations

from flask import g

from sync_console.api import answers
from sync_console.api.asked import AfterNumber
from sync_console.api.endpoints import behind, get, post
from sync_console.web.parts import parts
from sync_worker.services.access.tokens import Token
from sync_worker.services.access.who import Right


@get("/tokens", Right.USERS, AfterNumber)
def tokens(asked: AfterNumber) -> answers.TokenRows:
    """Tokens with what each may do; those that have ended, too. None of them is shown itself."""
    page = parts().access.tokens.page(g.who, asked.after)
    return answers.TokenRows(page.tokens, **behind(page.next_after))


@post("/tokens/<int(max=999999999999):token_id>/revoke", Right.USERS)
def token_revoke(_: object, token_id: int) -> Token:
    """End a token, from its next request on; also the one that is asked with."""
    return parts().access.tokens.revoke(g.who, token_id)
