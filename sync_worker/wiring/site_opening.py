"""Opens the site of an instance that installs the app, where only one connector can be meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sync_worker.config import Settings
from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.values import Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.waiting import shortly
from sync_worker.services.accounts.environment import refuse_shop_of_account
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.remotes import Remotes
from sync_worker.wiring.secret_keys import has_keys


class SiteOpening:
    """Implements ports.Sites. ``admin`` is asked for when the first instance comes."""

    def __init__(
        self,
        admin: Callable[[], LedgerAdmin],
        connectors: Connectors,
        settings: Settings,
        remotes: Remotes,
    ) -> None:
        self._admin, self._connectors = admin, connectors
        self._settings, self._remotes = settings, remotes

    def open(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """The new site and the deliveries that had waited for it; ``None``: a person has to choose.

        A site that its owner's key has opened is taken over, with all that it has. Raises
        Misconfigured if a manifest cannot be read, and what Wix says as it is asked.
        """
        taken_over = self._taken_over(instance_id)
        return self._opened_new(instance_id) if taken_over is None else taken_over

    def _taken_over(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        key_site = self._settings.wix_site_id
        known = [site for site in self._admin().sites.all() if site.instance_id == key_site]
        # No site is open by its owner's key: Wix is not asked.
        if not known:
            return None
        try:
            api = self._remotes.wix_api(instance_id)
            is_same = shortly(api.site_id, time.sleep) == key_site
        except Permanent:
            # Refused: which site it is on nobody knows, and `site set --instance` remains.
            return None
        return self._admin().sites.take_over(known[0].id, instance_id) if is_same else None

    def _without_account(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """A site of an app of many, which waits until its owner gives the account."""
        if not has_keys(self._settings):
            return None
        admin = self._admin()
        try:
            opened = admin.sites.add(instance_id, "", (), wix_api=self._settings.first_wix_api)
        except Misconfigured:
            # Somebody else was quicker.
            return None
        words = f"instance {instance_id}"
        admin.onboarding.note(opened[0].id, "installed", "done", words, "wix:installed")
        return opened

    def _opened_new(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        admin = self._admin()
        taken = {site.external_source for site in admin.sites.all()}
        manifests = self._connectors.manifests
        free = [manifest for name, manifest in manifests.items() if name not in taken]
        # In an app of many the shop of the environment is somebody's own: `site add` gives it.
        if len(free) != 1 or admin.sites.any_has_account():
            return self._without_account(instance_id)
        (manifest,) = free
        try:
            refuse_shop_of_account(admin, self._connectors.code_of(manifest.id))
            kind = self._settings.first_wix_api
            fields = [default_field(manifest, kind)]
            first = manifest.first_policies
            return admin.sites.add(instance_id, manifest.id, fields, first, kind)
        except Misconfigured:
            # Somebody else was quicker, or its scale needs a person: `site add` says so.
            return None
