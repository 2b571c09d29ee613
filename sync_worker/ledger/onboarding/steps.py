"""How far a site has come: table ``onboarding``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from sync_worker.core import exact_json
from sync_worker.ledger.onboarding.tables import onboarding
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

WORDS = 2_000  # characters of what a step said


class SqlOnboarding:
    """The steps of each site, by name: what became of them, in words."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def steps(self, site_id: int) -> Mapping[str, Mapping[str, Any]]:
        """Those that were begun; nothing of a site that nobody has begun with."""
        found = select(onboarding.c.steps).where(onboarding.c.site_id == site_id)
        with self._transactions.read() as connection:
            return dict(connection.execute(found).scalar_one_or_none() or {})

    def note(
        self,
        site_id: int,
        step: str,
        state: str,
        words: str,
        actor: str,
        made_with: str | None = None,
        form: Mapping[str, Any] | None = None,
    ) -> None:
        """What became of a step. Two who work on one site do not undo each other's.

        ``made_with``: the account, or its address, that it is done with; ``form``: what the words
        are made of, to be said in another language.
        """
        with self._transactions.write() as connection:
            begin = insert_into(connection, onboarding).values(
                site_id=site_id,
                steps={},
                version=1,
                started_at=ledger_now(),
                updated_at=ledger_now(),
            )
            # Also the row's lock: whoever comes next reads what we write.
            more = {"version": onboarding.c.version + 1, "updated_at": ledger_now()}
            mine = begin.on_conflict_do_update(index_elements=["site_id"], set_=more)
            connection.execute(mine)
            is_it = onboarding.c.site_id == site_id
            steps = dict(connection.execute(select(onboarding.c.steps).where(is_it)).scalar_one())
            at = connection.execute(select(ledger_now())).scalar_one()
            told = {"state": state, "words": words[:WORDS], "actor": actor, "at": int(at)}
            # What is too long to be kept whole is kept as far as it goes, in English.
            if form is not None and len(words) <= WORDS:
                told["form"] = form
            if made_with is not None:
                told["made_with"] = made_with
            steps[step] = exact_json.loads(exact_json.dumps(told))
            connection.execute(update(onboarding).where(is_it).values(steps=steps))

    def end(self, site_id: int) -> None:
        """The site is at work."""
        with self._transactions.write() as connection:
            is_it = onboarding.c.site_id == site_id
            ended = update(onboarding).where(is_it).values(ended_at=ledger_now())
            connection.execute(ended)
