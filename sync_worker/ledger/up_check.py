"""Whether the ledger can be written, asked by writing: a look would not notice a full disk, nor a
server that became read-only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import update

from sync_worker.ledger.process_tables import up_check
from sync_worker.ledger.transactions import Transactions, ledger_now

GOOD_SECONDS = 5.0
NO_ROW = "its table up_check has lost its row: restore the database whole"


class UpCheck:
    """Changes one row of its own, at most once in five seconds; all who ask share the answer."""

    def __init__(
        self, transactions: Transactions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transactions, self._clock = transactions, clock
        self._turn = threading.Lock()
        self._good_until = float("-inf")
        self._reason = ""

    def is_up(self) -> bool:
        """Whether the ledger can be written."""
        return not self.reason()

    def reason(self) -> str:
        """Why the ledger cannot be written, in the words of the database; empty: it can."""
        with self._turn:
            if self._clock() >= self._good_until:
                self._good_until = self._clock() + GOOD_SECONDS
                self._reason = self._write()
            return self._reason

    def note_failure(self, error: Exception) -> None:
        """Somebody else's write failed: it is not up, until the next write of our own.

        Waits for nobody: a write that is under way may hang.
        """
        self._reason = _words(error)

    def _write(self) -> str:
        change = update(up_check).where(up_check.c.id == 1).values(checked_at=ledger_now())
        try:
            with self._transactions.single() as connection:
                changed = connection.execute(change).rowcount
        except Exception as error:  # whatever is wrong, the answer is no
            return _words(error)
        return "" if changed == 1 else NO_ROW


def _words(error: BaseException) -> str:
    """What the database itself said, where it said something."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
