"""The parts of the ledger's administration, over one database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from sync_worker.ledger.accounts.resealing import SqlResealing
from sync_worker.ledger.administration.door_counts import SqlDoorCounts
from sync_worker.ledger.administration.fields import FieldAdmin
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.administration.held import HeldAdmin
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.administration.mappings import MappingAdmin
from sync_worker.ledger.administration.questions import LedgerQuestions
from sync_worker.ledger.administration.site_pages import SitePages
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.ledger.administration.standing import SqlStanding
from sync_worker.ledger.administration.wix_change import WixChange
from sync_worker.ledger.onboarding.looks import SqlCatalogueLooks
from sync_worker.ledger.onboarding.parts import SqlCatalogueParts
from sync_worker.ledger.onboarding.proposals import SqlProposals
from sync_worker.ledger.onboarding.steps import SqlOnboarding
from sync_worker.ledger.transactions import Transactions


@dataclass(frozen=True)
class LedgerAdmin:
    """Each command takes the part that it uses."""

    engine: Engine
    transactions: Transactions
    sites: SiteAdmin
    mappings: MappingAdmin
    fields: FieldAdmin
    held: HeldAdmin
    questions: LedgerQuestions
    hook_states: SqlHookStates
    heartbeats: SqlHeartbeats
    door_counts: SqlDoorCounts
    standing: SqlStanding
    wix_change: WixChange
    site_pages: SitePages
    sealed: SqlResealing
    looks: SqlCatalogueLooks
    catalogue_parts: SqlCatalogueParts
    onboarding: SqlOnboarding
    proposals: SqlProposals


def ledger_admin(engine: Engine) -> LedgerAdmin:
    """The parts share their transactions."""
    transactions = Transactions(engine)
    return LedgerAdmin(
        engine,
        transactions,
        SiteAdmin(transactions),
        MappingAdmin(transactions),
        FieldAdmin(transactions),
        HeldAdmin(transactions),
        LedgerQuestions(transactions),
        SqlHookStates(transactions),
        SqlHeartbeats(transactions),
        SqlDoorCounts(transactions),
        SqlStanding(transactions),
        WixChange(transactions),
        SitePages(transactions),
        SqlResealing(transactions),
        SqlCatalogueLooks(transactions),
        SqlCatalogueParts(transactions),
        SqlOnboarding(transactions),
        SqlProposals(transactions),
    )
