"""All of access, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.ledger.access.attempts import SqlAttempts
from sync_worker.ledger.access.audit_pages import SqlAuditPages
from sync_worker.ledger.access.forms import SqlForms
from sync_worker.ledger.access.links import SqlLinks
from sync_worker.ledger.access.people import SqlPeople
from sync_worker.ledger.access.sessions import SqlSessions
from sync_worker.ledger.access.tokens import SqlTokens
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.transactions import Transactions
from sync_worker.services.access.audit import AuditLog
from sync_worker.services.access.forms import Forms
from sync_worker.services.access.links import Links
from sync_worker.services.access.logins import Logins
from sync_worker.services.access.owners import OwnerRules, Owners
from sync_worker.services.access.people import People, people_over
from sync_worker.services.access.sessions import Sessions
from sync_worker.services.access.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Access:
    """Who comes in, what they send, and what is written down of it."""

    people: People
    links: Links
    sessions: Sessions
    logins: Logins
    owners: Owners
    forms: Forms
    tokens: Tokens
    audit: AuditLog


def access_over(transactions: Transactions, rules: OwnerRules) -> Access:
    """All of it over one database."""
    stored, people, audit = (
        SqlSessions(transactions),
        SqlPeople(transactions),
        SqlAudit(transactions),
    )
    links, sessions = Links(SqlLinks(transactions)), Sessions(stored)
    forms = Forms(SqlForms(transactions))
    attempts = SqlAttempts(transactions)
    return Access(
        people_over(transactions),
        links,
        sessions,
        Logins(people, links, sessions, forms, attempts, audit),
        Owners(rules, stored, sessions, links, audit),
        forms,
        Tokens(SqlTokens(transactions), audit),
        AuditLog(SqlAuditPages(transactions)),
    )
