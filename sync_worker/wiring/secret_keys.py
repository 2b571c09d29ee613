"""The keys that seal and open what accounts give: of the settings, or of the file of ``up``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured, Transient
from sync_worker.files.state_folder import FILE_MODE, make_private_folder
from sync_worker.ledger.accounts.resealing import SqlResealing
from sync_worker.ledger.accounts.sealing import Opener, Sealer, keys_in, new_key, public_of
from sync_worker.ledger.transactions import Transactions

FILE = "secrets_key"  # in the state folder
log = structlog.get_logger(__name__)
MISSING = (
    "secrets of accounts are sealed with SECRETS_KEY, and it is not set: `ratings-sync secrets"
    " new-key` prints a key, `deploy/secrets.sh` and `ratings-sync up` make one"
)


def opening_keys(settings: Settings) -> list[str]:
    """The first seals, all open; none: nothing was set. Raises Misconfigured."""
    if settings.secrets_key is not None:
        return keys_in(settings.secrets_key.get_secret_value())
    file = key_file(settings)
    try:
        return keys_in(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no key"
        raise Misconfigured(f"SECRETS_KEY: {file} cannot be read ({reason})") from None


def opener(settings: Settings) -> Opener:
    """What opens. Raises Misconfigured."""
    keys = opening_keys(settings)
    if not keys:
        raise Misconfigured(MISSING)
    return Opener(keys)


def sealer(settings: Settings) -> Sealer:
    """What only seals. Raises Misconfigured."""
    if settings.secrets_sealing_key is not None:
        public = keys_in(settings.secrets_sealing_key.get_secret_value())
        return Sealer(public[0] if public else "")
    keys = opening_keys(settings)
    if not keys:
        raise Misconfigured(MISSING)
    return Sealer(public_of(keys[0]))


@dataclass(frozen=True, slots=True)
class Locked:
    """Accounts whose secrets do not open with the keys of this process, and why."""

    accounts: int = 0
    reason: str = ""

    @property
    def line(self) -> str:
        """For a log or a terminal; empty: all of them open."""
        if not self.accounts:
            return ""
        return (
            f"the secrets of {self.accounts} account{'s' * (self.accounts > 1)} do not open:"
            f" {self.reason}; their deliveries wait (account_locked)"
        )


def locked(settings: Settings, keys_in_use: Mapping[str, int]) -> Locked:
    """``keys_in_use``: for how many accounts each key has sealed. Without accounts nothing is."""
    if not keys_in_use:
        return Locked()
    try:
        known = opener(settings).key_ids
    except Misconfigured as error:
        return Locked(sum(keys_in_use.values()), error.message)
    missing = {key: count for key, count in keys_in_use.items() if key not in known}
    names = ", ".join(sorted(missing))
    reason = f"they were sealed for key {names}, which SECRETS_KEY does not hold"
    return Locked(sum(missing.values()), reason) if missing else Locked()


def locked_sites(settings: Settings, sealed: SqlResealing) -> frozenset[int]:
    """Sites whose account has secrets that do not open with the keys of this process."""
    in_use = sealed.keys_in_use()
    # Who only seals cannot tell what others open.
    seals_alone = settings.secrets_key is None and settings.secrets_sealing_key is not None
    if seals_alone or not locked(settings, in_use).accounts:
        return frozenset()
    try:
        known = opener(settings).key_ids
    except Misconfigured:
        known = frozenset()
    return sealed.sites_sealed_otherwise(known)


def warn_of_locked(settings: Settings, transactions: Transactions) -> None:
    """One line at the start of a process, where it cannot open what accounts gave.

    It goes on: others work, and their deliveries wait.
    """
    # A ledger that is away is told where it is asked for.
    with suppress(Transient):
        if line := locked(settings, SqlResealing(transactions).keys_in_use()).line:
            log.error("accounts_locked", why=line)


def has_keys(settings: Settings) -> bool:
    """Whether shops may give what they have as accounts here."""
    is_set = settings.secrets_key is not None or settings.secrets_sealing_key is not None
    return is_set or key_file(settings).exists()


def key_file(settings: Settings) -> Path:
    """Where ``up`` keeps its key."""
    return settings.ratings_sync_home.absolute() / FILE


def make_key_file(settings: Settings, keys_in_use: Mapping[str, int]) -> str:
    """Make one for its owner alone, where neither a setting nor a file has one.

    In words what it made; empty: nothing. ``keys_in_use``: as ``locked`` has them. Raises
    Misconfigured: a new key beside accounts would hide that theirs is lost.
    """
    file = key_file(settings)
    if settings.secrets_key is not None or file.exists():
        return ""
    if keys_in_use:
        line = locked(settings, keys_in_use).line
        names = ", ".join(sorted(keys_in_use))
        raise Misconfigured(f"{line}. No new key is made: put key {names} back into {file}")
    make_private_folder(file.parent)
    draft = file.with_name(f"{FILE}.{os.getpid()}")
    try:
        _write_privately(draft, new_key())
        # Whole or not at all, and never over one that another process has made meanwhile.
        os.link(draft, file)
    except FileExistsError:
        return ""
    except OSError as error:
        raise Misconfigured(f"SECRETS_KEY: {file} cannot be made ({error.strerror})") from None
    finally:
        draft.unlink(missing_ok=True)
    return f"made {file}, which seals what accounts give: keep a copy elsewhere"


def _write_privately(file: Path, text: str) -> None:
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(number, "w", encoding="ascii") as opened:
        opened.write(f"{text}\n")
        opened.flush()
        os.fsync(opened.fileno())
