"""The ledger as a group of its ports."""

from __future__ import annotations

from typing import Protocol

from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.ports.links import Links
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.sites import SiteStates


class Ledger(Protocol):
    """The truth, in SQL, as a group of ports; each part takes those that it uses."""

    @property
    def inbox(self) -> Inbox: ...

    @property
    def directory(self) -> Directory: ...

    @property
    def links(self) -> Links: ...

    @property
    def merges(self) -> Merges: ...

    @property
    def sites(self) -> SiteStates: ...
