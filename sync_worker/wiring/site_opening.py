"""Opens the site of an instance that installs the app, where only one connector can be meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site, WixKind
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.default_field import default_field
from sync_worker.wiring.connectors import Connectors


class SiteOpening:
    """Implements ports.Sites. ``admin`` is asked for when the first instance comes."""

    def __init__(
        self, admin: Callable[[], LedgerAdmin], connectors: Connectors, wix_api: WixKind
    ) -> None:
        self._admin, self._connectors, self._wix_api = admin, connectors, wix_api

    def open(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """The new site and the deliveries that had waited for it; ``None``: a person has to choose.

        Raises Misconfigured if a manifest cannot be read.
        """
        admin = self._admin()
        taken = {site.connector for site in admin.sites.all()}
        manifests = self._connectors.manifests
        free = [manifest for name, manifest in manifests.items() if name not in taken]
        if len(free) != 1:
            return None
        (manifest,) = free
        try:
            fields = [default_field(manifest, self._wix_api)]
            first = manifest.first_policies
            return admin.sites.add(instance_id, manifest.id, fields, first, self._wix_api)
        except Misconfigured:
            # Somebody else was quicker, or its scale needs a person: `site add` says so.
            return None
