"""A site's owner, who comes from the dashboard of Wix with a signed app instance.

``{signature}.{data}``: data is base64url JSON, the signature HMAC-SHA256 over its text with the app
secret: https://dev.wix.com/docs/build-apps/develop-your-app/access/app-instances/parse-the-app-instance-query-parameter
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sync_worker.core.said import joined, said
from sync_worker.ledger.access.sessions import OwnerOf, SqlSessions
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.links import Links
from sync_worker.services.access.sessions import Session, Sessions

MAX_LENGTH = 8192
AHEAD_SECONDS = 120.0  # by which Wix's clock may be ahead of ours
OWNER = "OWNER"
UNKNOWN_SITE = "unknown_site"  # why an instance is refused whose installation nobody has heard of


class InstanceRefused(Exception):
    """The instance lets nobody in. ``reason``: for the log; the message is for people."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason, self.words = reason, words
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class OwnerRules:
    """``app_id``: empty where it is not known. ``seconds``: how old an instance may be."""

    app_secret: str
    app_id: str
    seconds: float


class Owners:
    """Lets owners in. Raises InstanceRefused, Transient."""

    def __init__(
        self,
        rules: OwnerRules,
        store: SqlSessions,
        sessions: Sessions,
        links: Links,
        audit: SqlAudit,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rules, self._store, self._sessions = rules, store, sessions
        self._links, self._audit, self._now = links, audit, now

    def come_in(self, instance: str, locale: str, session: Session | None) -> str | None:
        """The code of a new session; ``None``: ``session``, of the same owner, goes on."""
        found = verified(instance, self._rules, self._now())
        site_id = self._store.site_of_instance(found.instance_id)
        if site_id is None:
            raise InstanceRefused(
                UNKNOWN_SITE, said("The app is not installed on this site, or not yet.")
            )
        name = f"owner:{found.uid}"
        if not self._links.is_first_use(instance, self._rules.seconds + AHEAD_SECONDS):
            if session is not None and (session.who.name, session.who.site_id) == (name, site_id):
                return None
            raise InstanceRefused("replayed", ANEW)
        of = OwnerOf(site_id, found.instance_id, found.uid, locale[:16])
        self._audit.add(name, "login by Wix", site_id=site_id)
        return self._sessions.begin_for_owner(of)


@dataclass(frozen=True, slots=True)
class Instance:
    """Who looks, at which site, as Wix has signed it."""

    instance_id: str
    uid: str


ANEW = said("Open this page anew from the dashboard of your site.")
_TOO_OLD = joined(" ", [said("This address is too old."), ANEW])


def verified(instance: str, rules: OwnerRules, now: datetime) -> Instance:
    """Whom an instance lets in. Raises InstanceRefused."""
    data = _signed_data(instance, rules.app_secret)
    # Wix's own warning: with an aid, or without a uid, it is an anonymous visitor.
    if "aid" in data or not isinstance(data.get("uid"), str) or not data["uid"]:
        raise InstanceRefused("anonymous", said("This page is for the owner of a site."))
    if rules.app_id and data.get("appDefId") != rules.app_id:
        raise InstanceRefused("another_app", said("This page belongs to another app."))
    if data.get("permissions") != OWNER and data.get("siteOwnerId") != data["uid"]:
        raise InstanceRefused("not_owner", said("This page is for the owner of a site."))
    _refuse_old(data, rules, now)
    instance_id = data.get("instanceId")
    if not isinstance(instance_id, str) or not instance_id:
        raise InstanceRefused("no_instance", ANEW)
    return Instance(instance_id, data["uid"][:100])


def _signed_data(instance: str, app_secret: str) -> Mapping[str, Any]:
    """Nothing is parsed before the signature is found right."""
    if not app_secret:
        raise InstanceRefused(
            "no_secret", said("WIX_APP_SECRET is not set: owners cannot be let in.")
        )
    signature, _, text = instance[:MAX_LENGTH].partition(".")
    digest = hmac.new(app_secret.encode(), text.encode(), hashlib.sha256).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    if not hmac.compare_digest(signature.rstrip("=").encode(), expected):
        raise InstanceRefused("forged", ANEW)
    try:
        padded = text + "=" * (-len(text) % 4)
        data = json.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError, RecursionError):
        raise InstanceRefused("unreadable", ANEW) from None
    if not isinstance(data, dict):
        raise InstanceRefused("unreadable", ANEW)
    return data


def _refuse_old(data: Mapping[str, Any], rules: OwnerRules, now: datetime) -> None:
    signed, ends = _moment(data.get("signDate")), data.get("expirationDate")
    if signed is None:
        raise InstanceRefused("no_date", ANEW)
    age = (now - signed).total_seconds()
    if not -AHEAD_SECONDS <= age <= rules.seconds:
        raise InstanceRefused("expired", _TOO_OLD)
    if ends is None:
        return
    until = _moment(ends)
    if until is None or until < now:
        raise InstanceRefused("expired", _TOO_OLD)


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
