"""Secrets sealed for other keys, sealed anew for the first one, while everything runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sync_worker.ledger.accounts.resealing import SealedRow, SqlResealing
from sync_worker.ledger.accounts.sealing import CannotOpen, Opener, Sealer

PAGE = 200


@dataclass
class Sealed:
    """How secrets are sealed. ``locked``: those that do not open, in words."""

    current: int = 0
    resealed: int = 0
    other: int = 0
    locked: list[str] = field(default_factory=list)


class Resealing:
    """Goes through all secrets, page by page. Nothing of what it opens leaves it."""

    def __init__(self, secrets: SqlResealing, opener: Opener) -> None:
        self._secrets, self._opener = secrets, opener

    def check(self) -> Sealed:
        """Open every secret; nothing is changed."""
        done = Sealed()
        for rows in self._secrets.pages(PAGE):
            for row in rows:
                self._count(row, done)
        return done

    def rotate(self, sealer: Sealer, batch: int = PAGE) -> Sealed:
        """Seal for the first key what is sealed for another.

        May be stopped at any moment: a later call goes on, since what is done is seen.
        """
        done = Sealed()
        for rows in self._secrets.pages(batch):
            changed = [
                (row, self._sealed_anew(row, sealer)) for row in rows if self._count(row, done)
            ]
            taken = self._secrets.replace(changed)
            done.resealed += taken
            # One that was given anew meanwhile is sealed for the first key, too.
            done.current += len(changed)
            done.other -= len(changed)
        return done

    def _count(self, row: SealedRow, done: Sealed) -> bool:
        """Whether it opens and is sealed for another key than the first."""
        sealed = [text for text in (row.sealed, row.previous) if text is not None]
        try:
            for text in sealed:
                self._opener.opened(text, account=row.account, name=row.name)
        except CannotOpen as error:
            done.locked.append(error.message)
            return False
        if all(map(self._opener.is_current, sealed)):
            done.current += 1
            return False
        done.other += 1
        return True

    def _sealed_anew(self, row: SealedRow, sealer: Sealer) -> SealedRow:
        def anew(text: str) -> str:
            if self._opener.is_current(text):
                return text
            opened = self._opener.opened(text, account=row.account, name=row.name)
            return sealer.sealed(opened, account=row.account, name=row.name)

        previous = None if row.previous is None else anew(row.previous)
        return replace(row, sealed=anew(row.sealed), previous=previous)
