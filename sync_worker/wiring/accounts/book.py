"""What one process knows of accounts: taken up as they change, without a restart.

    a request, a delivery ──▶ is my knowledge a second old? ──▶ one look at the ledger's counter
                                                               ──▶ forget what has changed since

Nothing is kept of a change but that it was: whoever needs the account next reads it.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import structlog

from sync_worker.core.errors import Held, Misconfigured, SyncError, Transient
from sync_worker.core.hold_reasons import ACCOUNT_LOCKED, ACCOUNT_REVOKED
from sync_worker.core.values import Account, AccountState, SealedSecret, Site
from sync_worker.ledger.accounts.sealing import CannotOpen, Opener
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.values import Given
from sync_worker.wiring.accounts.recent import Recent
from sync_worker.wiring.connectors import Connectors

MAX_ACCOUNTS = 10_000  # about 100 MB; the one that was not used for longest goes first
MAX_GUESSES = 1_000  # addresses that lead nowhere
MAX_ASKING = 2  # threads that ask for an address: the other connections are for those who commit
ASK_SECONDS = 1.0  # that another one waits for its turn to ask
LOOK_SECONDS = 1.0  # a change is known everywhere within this time and a statement's
FAILED_LOOK_SECONDS = 0.25  # no thread waits for a ledger that did not answer another just now
MAX_CHANGES = 500  # above it all is forgotten: cheaper than to read what is not in use
PUBLIC_ID = re.compile(r"[a-z2-7]{26}")
FOR_EVER = datetime.max.replace(tzinfo=UTC)
Kept = TypeVar("Kept")

log = structlog.get_logger(__name__)


class Accounts(Protocol):
    """Where accounts are kept. Each raises Transient."""

    def counter(self) -> int:
        """Grows with each change of an account."""

    def changed_since(self, counter: int, limit: int) -> Sequence[Account]: ...
    def by_address(self, address: str) -> Account | None: ...
    def by_public_id(self, public_id: str) -> Account | None: ...
    def sealed_of(self, account_id: int) -> Mapping[str, SealedSecret]: ...


@dataclass(frozen=True, slots=True)
class LiveAccount:
    """An account with its secrets open, in the code of its connector.

    ``mark``: changes with what is given, and with nothing else; ``good_until``: when a value that
    a secret had before ends.
    """

    account: Account
    manifest: Manifest
    mark: str
    good_until: datetime = FOR_EVER

    @property
    def source(self) -> str:
        return self.account.source

    @property
    def address(self) -> str:
        """The last part of the address that the external system is to call now."""
        return next(
            (one.address for one in self.account.addresses if one.valid_until is None),
            self.account.public_id,
        )


@dataclass(frozen=True, slots=True)
class _Shut:
    """An account that cannot be used, and why."""

    account: Account
    why: SyncError = field(repr=False)
    good_until: datetime = FOR_EVER


class AccountBook:
    """Shared by the threads of a process; knows at most 10,000 accounts.

    ``opener``: what opens secrets; raises Misconfigured in a process that has no key for that.
    ``listen``: told at the first look whom to call with news, so that they are not waited for.
    """

    def __init__(
        self,
        accounts: Callable[[], Accounts],
        connectors: Connectors,
        opener: Callable[[], Opener],
        listen: Callable[[Callable[[], None]], None] = lambda heard: None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts, self._connectors, self._opener = accounts, connectors, opener
        self._listen, self._now, self._clock = listen, now, clock
        self._known = Recent[str, LiveAccount | _Shut](MAX_ACCOUNTS)
        self._by_address = Recent[str, str](2 * MAX_ACCOUNTS)
        self._nowhere = Recent[str, str](MAX_GUESSES)
        self._turn = threading.Lock()
        self._counter: int | None = None
        self._looked_at = self._failed_at = float("-inf")
        self._forgotten = 0  # grows whenever something is forgotten
        self._asking = threading.Semaphore(MAX_ASKING)
        # Whether something was forgotten and what is kept then are one step: what a thread read
        # before a change must not be put where another thread has just forgotten it.
        self._keeping = threading.Lock()

    def by_address(self, connector: str, address: str) -> LiveAccount | None:
        """The account that a webhook address leads to, if it leads anywhere.

        Raises Transient while the ledger does not answer: what may be revoked lets nobody in; Held
        and Misconfigured for an account that cannot be used.
        """
        # What nobody can have been given costs no statement.
        if PUBLIC_ID.fullmatch(address) is None or connector not in self._connectors.names:
            return None
        self.look()
        if self._nowhere.get(address) is not None:
            return None
        known = self._by_address.get(address)
        found = self._at_address(address) if known is None else self._entry(known)
        if found is None or not self._leads_to(found.account, connector, address):
            return None
        return _usable(found)

    def manifest_at(self, connector: str, address: str) -> Manifest | None:
        """The manifest of ``by_address``; raises the same."""
        found = self.by_address(connector, address)
        return None if found is None else found.manifest

    def of_source(self, source: str) -> LiveAccount:
        """The account that is one source of deliveries.

        While the ledger does not answer, what is known goes on. Raises Held (it is revoked, or its
        secrets do not open), Misconfigured, Transient.
        """
        with suppress(Transient):
            self.look()
        found = self._entry(source.rpartition("/")[2])
        if found is None:
            raise _at_an_end(source)
        return _usable(found)

    def of_site(self, site: Site) -> LiveAccount:
        """The account of a site. Raises as ``of_source``."""
        return self.of_source(site.external_source)

    def is_current(self, live: LiveAccount) -> bool:
        """Whether the account still has the values that were taken from here."""
        try:
            return self.of_source(live.source).mark == live.mark
        except (Held, Misconfigured):
            return False
        except Transient:
            # The ledger does not answer: what is known goes on.
            return True

    def of_leaving(
        self, account: Account, sealed: Mapping[str, SealedSecret] | None = None
    ) -> LiveAccount:
        """An account that is at an end, as long as the ledger has its secrets: for its farewell.

        ``sealed``: those that it had at the shop that it has left. Nothing of it is kept here.
        Raises Held, Misconfigured, Transient.
        """
        return _usable(self._opened(account, sealed))

    # -- what has changed

    def look(self) -> None:
        """Take up what has changed, if the last look is a second ago. Raises Transient."""
        if self._clock() - self._looked_at < LOOK_SECONDS:
            return
        with self._turn:
            started = self._clock()
            # Another thread has looked while this one waited.
            if started - self._looked_at < LOOK_SECONDS:
                return
            if started - self._failed_at < FAILED_LOOK_SECONDS:
                raise Transient("the ledger did not answer a moment ago")
            try:
                self._take_up_changes()
            except Transient:
                self._failed_at = self._clock()
                raise
            self._looked_at = started

    def look_again(self) -> None:
        """Look with the next request, however short ago the last look is: something has changed."""
        self._looked_at = float("-inf")

    def _take_up_changes(self) -> None:
        accounts, known = self._accounts(), self._counter
        counter = accounts.counter()
        if counter == known:
            return
        if known is None:
            self._listen(self.look_again)
        # The first look; or a database that was put back to an earlier day.
        if known is None or counter < known:
            self._forget_all()
        else:
            self._forget(accounts.changed_since(known, MAX_CHANGES))
        self._counter = counter

    def _forget(self, changed: Sequence[Account]) -> None:
        if len(changed) >= MAX_CHANGES:
            self._forget_all()
            return
        with self._keeping:
            self._forgotten += 1
            for account in changed:
                self._known.drop(account.public_id)
            self._nowhere.clear()

    def _forget_all(self) -> None:
        with self._keeping:
            self._forgotten += 1
            for memory in (self._known, self._by_address, self._nowhere):
                memory.clear()

    def _keep(self, memory: Recent[str, Kept], key: str, value: Kept, before: int) -> None:
        """Keep what was read when ``before`` was counted, unless a change came between."""
        with self._keeping:
            if self._forgotten == before:
                memory.put(key, value)

    # -- what is known, or read

    def _entry(self, public_id: str) -> LiveAccount | _Shut | None:
        known = self._known.get(public_id)
        if known is not None and self._now() < known.good_until:
            return known
        before = self._forgotten
        account = self._accounts().by_public_id(public_id)
        return None if account is None else self._noted(account, before)

    def _at_address(self, address: str) -> LiveAccount | _Shut | None:
        """Whose address it is, asked for in turn: strangers may guess as many as they like."""
        if not self._asking.acquire(timeout=ASK_SECONDS):
            raise Transient("too many ask for addresses that are not known here")
        try:
            return self._asked_for(address)
        finally:
            self._asking.release()

    def _asked_for(self, address: str) -> LiveAccount | _Shut | None:
        before = self._forgotten
        account = self._accounts().by_address(address)
        if account is None:
            self._keep(self._nowhere, address, address, before)
            return None
        return self._noted(account, before)

    def _noted(self, account: Account, before: int) -> LiveAccount | _Shut:
        """The account as it was just read; kept unless a change came between."""
        found: LiveAccount | _Shut = _Shut(account, _at_an_end(account.source))
        if account.state is not AccountState.REVOKED:
            found = self._opened(account)
        self._keep(self._known, account.public_id, found, before)
        # Whoever knows the account knows whose its addresses are.
        for one in account.addresses:
            self._keep(self._by_address, one.address, account.public_id, before)
        return found

    def _opened(
        self, account: Account, sealed: Mapping[str, SealedSecret] | None = None
    ) -> LiveAccount | _Shut:
        if sealed is None:
            sealed = self._accounts().sealed_of(account.id)
        now = self._now()
        ends = [one.previous_until for one in sealed.values() if one.previous_until is not None]
        good_until = min((end for end in ends if end > now), default=FOR_EVER)
        try:
            given = self._given(account, sealed, now)
            manifest = self._connectors.code_of(account.connector).of(account.source, given)
        except (Held, Misconfigured) as error:
            log.warning("account_shut", account=account.public_id, why=error.message)
            return _Shut(account, error, good_until)
        return LiveAccount(account, manifest, _mark_of(given.values), good_until)

    def _given(self, account: Account, sealed: Mapping[str, SealedSecret], now: datetime) -> Given:
        """Its settings and its open secrets. Raises Held where one does not open."""
        values, before = dict(account.settings), dict[str, str]()
        for name, secret in sealed.items():
            values[name] = self._open(account, name, secret.sealed)
            is_valid = secret.previous_until is not None and secret.previous_until > now
            if secret.previous is not None and is_valid:
                before[name] = self._open(account, name, secret.previous)
        return Given(values, before)

    def _open(self, account: Account, name: str, sealed: str) -> str:
        try:
            return self._opener().opened(sealed, account=account.public_id, name=name)
        # A key that is missing or damaged: deliveries wait, and the process goes on for others.
        except (CannotOpen, Misconfigured) as error:
            raise Held(ACCOUNT_LOCKED, error.message) from None

    def _leads_to(self, account: Account, connector: str, address: str) -> bool:
        """Whether this address is the account's now, as one of this connector."""
        if account.connector != connector or account.state is AccountState.REVOKED:
            return False
        ends = [one.valid_until for one in account.addresses if one.address == address]
        return any(end is None or end > self._now() for end in ends)


def _usable(found: LiveAccount | _Shut) -> LiveAccount:
    if isinstance(found, _Shut):
        # One error for all who ask: it must not grow with each.
        raise found.why.with_traceback(None)
    return found


def _at_an_end(source: str) -> Held:
    return Held(ACCOUNT_REVOKED, f"account {source} is at an end: the site needs another one")


def _mark_of(values: Mapping[str, str]) -> str:
    """A digest of what is given: two are alike only if every value is."""
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()
