"""What is wrong with an installation, in words, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync_worker.doctor.check import Check, safely
from sync_worker.doctor.door import check_gateway, check_webhook_keys, check_webhook_secrets
from sync_worker.doctor.hooks import check_hooks
from sync_worker.doctor.ledger import (
    check_accounts,
    check_guests,
    check_keys,
    check_own_shops,
    check_people,
    check_site_work,
    check_sql,
)
from sync_worker.doctor.redis import check_redis
from sync_worker.doctor.remotes import check_external, check_wix
from sync_worker.doctor.settings import check_connectors, check_settings
from sync_worker.doctor.troubles import check_troubles
from sync_worker.wiring import Wiring

# In the order in which one would put things right.
HERE = {
    "settings": check_settings,
    "connectors": check_connectors,
    "sql": check_sql,
    "site work": check_site_work,
    "accounts": check_accounts,
    "keys": check_keys,
    "own shops": check_own_shops,
    "guests": check_guests,
    "people": check_people,
    "redis": check_redis,
    "webhook keys": check_webhook_keys,
    "webhook secrets": check_webhook_secrets,
}


@dataclass(frozen=True, slots=True)
class Doctor:
    """All checks of one installation.

    ``offline``: ask neither Wix, nor the external systems, nor the gateway. ``instance_id``: a Wix
    app instance that is not added yet.
    """

    wiring: Wiring
    offline: bool = False
    instance_id: str | None = None

    def checks(self) -> Iterator[Check]:
        """Every check; one that fails is a bad one, and the others go on."""
        yield from safely("now", check_troubles(self.wiring, is_offline=self.offline))
        yield from self.checks_before_start()
        if self.offline:
            return
        yield from safely("wix", check_wix(self.wiring, self.instance_id))
        yield from safely("external", check_external(self.wiring))
        yield from safely("webhooks", check_hooks(self.wiring))
        yield from safely("gateway", check_gateway(self.wiring))

    def checks_before_start(self) -> Iterator[Check]:
        """What can be right before anything runs: settings, keys, the ledger, Redis."""
        for name, check in HERE.items():
            yield from safely(name, check(self.wiring))

    def live_checks(self) -> Iterator[Check]:
        """Wix and the external systems only. Raises what a check raises."""
        yield from check_wix(self.wiring, self.instance_id)
        yield from check_external(self.wiring)
