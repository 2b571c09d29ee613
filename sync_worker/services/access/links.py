"""One-time links: whoever opens one within 15 minutes comes in, once."""

from __future__ import annotations

from sync_worker.ledger.access.links import SqlLinks
from sync_worker.services.access.secrets import hash_of, new_secret


class Links:
    """Raises Transient."""

    def __init__(self, store: SqlLinks) -> None:
        self._store = store

    def make(self, person_id: int) -> str:
        """The secret of a new link; earlier ones of this person end."""
        secret = new_secret()
        self._store.add(hash_of(secret), person_id)
        return secret

    def whose(self, secret: str) -> tuple[int, str] | None:
        """Id and name of whom it lets in; to look uses nothing up."""
        return self._store.whose(hash_of(secret))

    def use(self, secret: str) -> tuple[int, str] | None:
        """Id and name of whom it lets in, once."""
        whose = self.whose(secret)
        if whose is None or not self._store.use(hash_of(secret)):
            return None
        return whose

    def is_first_use(self, instance: str, seconds: float) -> bool:
        """Whether a signed instance came for the first time, among those that count still."""
        return self._store.use_instance(hash_of(instance), seconds)

    def forget_old(self) -> None:
        self._store.forget_old()
