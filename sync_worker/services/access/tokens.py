"""Tokens of programs: each for some rights, for one site or all, until some day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.access.tokens import PAGE, NewToken, SqlTokens, Token
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.people import NAME
from sync_worker.services.access.secrets import hash_of, new_secret
from sync_worker.services.access.who import OF_INSTALLATION, NotThere, Right, Role, Who

__all__ = ["MadeToken", "Token", "TokenPage", "Tokens"]

PREFIX = "rs_"  # by which a token is known where it leaked
DAY_SECONDS = 86_400.0
MAX_DAYS = 400


@dataclass(frozen=True, slots=True)
class MadeToken:
    """``secret``: shown this once."""

    token: Token
    secret: str


@dataclass(frozen=True, slots=True)
class TokenPage:
    """``next_after``: begin the next page behind it; ``None``: there is none."""

    tokens: Sequence[Token]
    next_after: int | None


class Tokens:
    """Raises Forbidden, NotThere, Misconfigured (in words), Transient."""

    def __init__(self, store: SqlTokens, audit: SqlAudit) -> None:
        self._store, self._audit = store, audit

    def add(
        self,
        who: Who,
        name: str,
        scopes: Sequence[Right],
        *,
        days: int,
        site_id: int | None = None,
    ) -> MadeToken:
        """A token may do what its maker may, at most."""
        who.check(Right.USERS)
        for scope in scopes:
            who.check(scope, site_id)
            if site_id is not None and scope in OF_INSTALLATION:
                raise Misconfigured(f"{scope} is of the whole installation, and of no site")
        if not scopes or not 1 <= days <= MAX_DAYS:
            raise Misconfigured(f"a token has at least one scope, and {MAX_DAYS} days at most")
        if not NAME.fullmatch(name):
            raise Misconfigured(
                f"{name!r} is no name: use letters, digits, blanks and . @ + - _ only"
            )
        secret = PREFIX + new_secret()
        names = sorted({str(scope) for scope in scopes})
        new = NewToken(name, names, site_id, who.name, days * DAY_SECONDS)
        made = self._known(self._store.add(hash_of(secret), new))
        after = {"token": made.name, "id": made.id, "scopes": names}
        self._audit.add(who.name, "token add", site_id=site_id, after=after)
        return MadeToken(made, secret)

    def page(self, who: Who, after: int = 0, limit: int = PAGE) -> TokenPage:
        """Those that have ended, too."""
        who.check(Right.USERS)
        found = self._store.page(after, limit)
        return TokenPage(found, found[-1].id if len(found) == limit else None)

    def revoke(self, who: Who, token_id: int) -> Token:
        """From its next request on."""
        who.check(Right.USERS)
        found = self._known(token_id)
        if found.revoked_at is None:
            self._store.revoke(token_id)
            after = {"token": found.name, "id": found.id}
            self._audit.add(who.name, "token revoke", site_id=found.site_id, after=after)
        return self._known(token_id)

    def who(self, secret: str) -> Who | None:
        """Whose token it is, with its rights alone; ``None``: none that counts."""
        found = self._store.find(hash_of(secret)) if secret.startswith(PREFIX) else None
        if found is None:
            return None
        role = Role.ADMIN if found.site_id is None else Role.OWNER
        only = frozenset(Right(scope) for scope in found.scopes if scope in set(Right))
        return Who(f"token:{found.name}", role, found.site_id, only)

    def _known(self, token_id: int) -> Token:
        found = self._store.by_id(token_id)
        if found is None:
            raise NotThere(f"there is no token {token_id}; `ratings-sync console token list`")
        return found
