"""The state of the stand-in Wix: one app and its one instance.

The contract is that of the Wix documentation; where Ratings is only documented as messages, the
paths follow its sibling Reviews. A site has both.
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from sync_sandbox.faults import HTTP_FAULTS, WEBHOOK_FAULTS, WIX_FAULTS, Faults
from sync_sandbox.texts import TEXT_FAULTS
from sync_sandbox.webhooks import WIX_RETRY_SECONDS, WebhookSender
from sync_sandbox.wix.catalog import Catalog
from sync_sandbox.wix.events import API_KEY, OWNER, WixEvents, key_of_wix
from sync_sandbox.wix.people import WixContacts
from sync_sandbox.wix.ratings import WixRatings
from sync_sandbox.wix.reviews.news import ReviewNews
from sync_sandbox.wix.reviews.quirks import DEFAULTS, QUIRKS
from sync_sandbox.wix.reviews.store import WixReviews


@dataclass
class WixState:
    """All that the stand-in knows. Every write is in ``journal``."""

    app_id: str = "sandbox-app"
    app_secret: str = "sandbox-app-secret"  # noqa: S105 - a stand-in's own
    instance_id: str = "11111111-0000-4000-8000-000000000001"
    site_id: str = "22222222-0000-4000-8000-000000000002"
    api_key: str = "sandbox-api-key"
    rate_per_minute: int | None = 200
    token_seconds: int = 14_400
    seed: int = 0
    webhook_url: str | None = None
    retry_scale: float = 1.0
    sender_threads: int = 4
    ratings: dict[str, dict[str, Any]] = field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    catalog: Catalog = field(default_factory=Catalog)
    journal: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    installed_apps: list[str] = field(default_factory=lambda: ["stores"])  # as Wix names them
    # What the instances of one app share, where many are served.
    sender: WebhookSender | None = None
    key: rsa.RSAPrivateKey | None = None
    token_prefix: str = "OauthNG."  # noqa: S105 - how tokens begin

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        names = HTTP_FAULTS | WEBHOOK_FAULTS | WIX_FAULTS | QUIRKS | TEXT_FAULTS
        self.faults = Faults(names, self.seed, DEFAULTS)
        self._tokens: dict[str, float] = {}
        self._call_times: list[float] = []
        retries = [seconds * self.retry_scale for seconds in WIX_RETRY_SECONDS]
        self.webhooks = self.sender or WebhookSender(
            self.webhook_url,
            self.faults,
            accepts=lambda status: status == 200,
            retry_seconds=retries,
            seed=self.seed,
            threads=self.sender_threads,
        )
        self.events = WixEvents(
            self.instance_id, self.faults, self.webhooks, self.key or key_of_wix()
        )
        self._ratings = WixRatings(
            self.lock, self.faults, self.events, self.contacts, self.ratings, self.journal
        )
        self.reviews = WixReviews(
            self.lock,
            self.faults,
            ReviewNews(self.events, self.faults),
            self.contacts,
            self.members,
            self.journal,
        )
        self._people = WixContacts(self.lock, self.events, self.contacts, self.merged)

    @property
    def public_key(self) -> str:
        return self.events.public_key

    def signed(self, envelope: Mapping[str, Any]) -> bytes:
        """A webhook's body."""
        return self.events.signed(envelope)

    # -- tokens and limits

    def new_token(self) -> str:
        token = f"{self.token_prefix}{secrets.token_urlsafe(24)}"
        with self.lock:
            self._tokens[token] = time.monotonic() + self.token_seconds
        return token

    def caller(self, authorization: str, site_id: str | None) -> dict[str, str] | None:
        """Who calls, as Wix names it: our app by a token, or the owner by the key and the site."""
        token = authorization.removeprefix("Bearer ").strip()
        if self._tokens.get(token, 0.0) > time.monotonic():
            return {"identityType": "APP", "appId": self.app_id}
        if (token, site_id) == (self.api_key, self.site_id):
            return dict(API_KEY)
        return None

    def revoke_tokens(self) -> None:
        with self.lock:
            self._tokens.clear()

    def is_over_limit(self) -> bool:
        """More than the allowed calls within any sliding minute."""
        if self.rate_per_minute is None:
            return False
        now = time.monotonic()
        with self.lock:
            self._call_times = [at for at in self._call_times if at > now - 60]
            if len(self._call_times) >= self.rate_per_minute:
                self.calls["limited"] += 1
                return True
            self._call_times.append(now)
        return False

    # -- ratings

    def create_rating(self, rating: Mapping[str, Any], by: Mapping[str, str]) -> dict[str, Any]:
        """Raises Refusal."""
        return self._ratings.create(rating, by)

    def update_rating(
        self, rating_id: str, value: Any, by: Mapping[str, str], revision: str | None = None
    ) -> dict[str, Any]:
        """Raises Refusal."""
        return self._ratings.update(rating_id, value, by, revision)

    def delete_rating(
        self, rating_id: str, by: Mapping[str, str], *, privacy: bool = False
    ) -> None:
        """Raises Refusal."""
        self._ratings.delete(rating_id, by, privacy=privacy)

    def rating_id(self, contact_id: str, entity_id: str, attribute: str = "overall") -> str | None:
        """Of the rating that a contact gave, in the usual namespace and group."""
        return self._ratings.id_of(contact_id, entity_id, attribute)

    def query_ratings(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Refusal for a filter that the service does not document."""
        return self._ratings.query(query)

    # -- people

    def add_contact(
        self,
        email: str | None,
        name: str = "",
        *,
        by: Mapping[str, str] | None = None,
        allow_duplicates: bool = False,
    ) -> dict[str, Any]:
        """Raises Refusal where the address is known and no duplicates are allowed."""
        return self._people.add(email, name, by=by, allow_duplicates=allow_duplicates)

    def add_member(self, contact_id: str) -> str:
        member_id = str(uuid.uuid4())
        self.members[member_id] = contact_id
        return member_id

    def merge_contacts(self, source_id: str, target_id: str) -> None:
        """Emits merged, updated (target) and deleted (source), as Wix does."""
        self._people.merge(source_id, target_id)

    def change_email(self, contact_id: str, email: str) -> dict[str, Any]:
        """The contact has another address (or its first one) from now on."""
        return self._people.change_email(contact_id, email)

    def delete_contact(self, contact_id: str, *, privacy: bool = False) -> None:
        """An owner deletes a contact; with ``privacy`` the person asked for it, and what they
        rated goes, too.
        """
        with self.lock:
            if privacy and contact_id in self.contacts:
                for rating in list(self.ratings.values()):
                    if rating["owner"].get("contactId") == contact_id:
                        self.delete_rating(rating["id"], OWNER, privacy=True)
                for review in list(self.reviews.by_id.values()):
                    if review["author"]["contactId"] == contact_id:
                        self.reviews.delete(review["id"], OWNER, privacy=True)
            self._people.delete(contact_id, privacy=privacy)

    def find_contacts(self, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Raises Refusal for a filter that the service does not document."""
        return self._people.find(where)

    # -- the app

    def install(
        self, instance_id: str | None = None, origin_instance_id: str | None = None
    ) -> None:
        """The app is installed, here or on another site; a copied site names its original."""
        event = {"appId": self.app_id}
        if origin_instance_id:
            event["originInstanceId"] = origin_instance_id
        self.events.tell_app("AppInstalled", instance_id or self.instance_id, event)

    def remove(self, instance_id: str | None = None) -> None:
        """The app is removed: from now on its tokens are refused, as Wix's are."""
        if instance_id in (None, self.instance_id):
            self.revoke_tokens()
        self.events.tell_app("AppRemoved", instance_id or self.instance_id, {"appId": self.app_id})
