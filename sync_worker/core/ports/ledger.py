"""The ledger as a group of its ports."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.ports.links import Links
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.site_sides import SiteSides
from sync_worker.core.ports.sites import SiteStates
from sync_worker.core.ports.unlinked import Unlinked


@dataclass(frozen=True)
class Ledger:
    """The truth, as a group of ports; each part takes those that it uses."""

    inbox: Inbox
    directory: Directory
    links: Links
    merges: Merges
    sites: SiteStates
    site_sides: SiteSides
    unlinked: Unlinked
