"""What the list of troubles is made of: facts of one moment, gathered by whoever can ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync_worker.core.values import Site
from sync_worker.ledger.accounts.site_sides import FailingAccount
from sync_worker.ledger.administration.door_counts import DoorSource
from sync_worker.ledger.administration.heartbeats import SeenProcess
from sync_worker.ledger.administration.site_faults import SiteFault
from sync_worker.ledger.administration.standing import SiteStanding, Waiting


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a moment is read, for pages: ``most`` of each kind of fact.

    ``site``: what is told of one site is of this one alone.
    """

    most: int
    site: Site | None = None

    @property
    def sources(self) -> frozenset[str] | None:
        """Whose deliveries count; ``None``: everybody's."""
        if self.site is None:
            return None
        return frozenset({self.site.instance_id, self.site.external_source}) - {""}


@dataclass(frozen=True, slots=True)
class RemoteLook:
    """A cheap read of one remote that failed.

    ``is_refused``: it does not accept our credentials; ``said``: what it, or the network, said.
    ``site``: the one that was asked for; the credentials of an app are the same on all of them.
    """

    remote: str
    said: str
    is_refused: bool = False
    site: int | None = None


@dataclass(frozen=True, slots=True)
class AddressLook:
    """An address, as a plain request sees it.

    ``whose``: for people; ``clock_ahead``: of ours, in seconds, by its Date header;
    ``certificate_ends_at``: in seconds since 1970; ``None``: not known.
    """

    whose: str
    host: str
    clock_ahead: float | None = None
    certificate_ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class DisabledHooks:
    """Webhooks that an external system has disabled."""

    connector: str
    topics: Sequence[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One moment of an installation; times in seconds since 1970.

    ``missing_ledger``: where none is, in a sentence; then nothing else is known.
    ``ledger_reason``, ``redis_reason``: why it cannot be used, empty if it can;
    ``redis_reason`` ``None``: nobody told where it is; ``connectors_reason``: why the manifests
    cannot be read. ``clock_ahead``: the database's, of ours.
    ``sources``: those whose webhooks the gateway takes. ``connectors``: those that the
    environment sets up, ``None``: not read. ``locked_accounts``: how many accounts have secrets
    that do not open with our keys; ``keys_reason``: why. ``locked_holds``: how many deliveries of
    which source a worker holds since they do not open with its keys. ``shops_twice``: shops of the
    environment that another site has, too: the source, what is wrong, what to do.
    """

    now: float
    missing_ledger: str = ""
    ledger_reason: str = ""
    redis_reason: str | None = ""
    connectors_reason: str = ""
    clock_ahead: float = 0.0
    is_sqlite: bool = False
    processes: Sequence[SeenProcess] = ()
    door: Sequence[DoorSource] = ()
    sources: frozenset[str] = frozenset()
    sites: Sequence[SiteStanding] = ()
    failing_accounts: Sequence[FailingAccount] = ()
    site_faults: Sequence[SiteFault] = ()
    waiting: Sequence[Waiting] = ()
    remotes: Sequence[RemoteLook] = ()
    addresses: Sequence[AddressLook] = ()
    disabled_hooks: Sequence[DisabledHooks] = ()
    connectors: frozenset[str] | None = None
    locked_accounts: int = 0
    keys_reason: str = ""
    locked_holds: Mapping[str, int] = field(default_factory=dict)
    shops_twice: Sequence[tuple[str, str, str]] = ()
