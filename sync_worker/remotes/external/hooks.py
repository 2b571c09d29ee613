"""Our webhooks at an external system: made, listed and brought back, as the manifest says."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from sync_worker.core.errors import Misconfigured, SyncError, Transient
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.schema.verify import UrlTokenVerify
from sync_worker.manifest.schema.webhook import Manage
from sync_worker.remotes.external.calls import ExternalCalls, Options
from sync_worker.remotes.http.client import RemoteHttp

GONE = (404, 410)
MAX_PAGES = 50  # no system has so many hooks: it ignores our paging and lists the first again


@dataclass(frozen=True, slots=True)
class HookState:
    """One hook as the system shows it; ``url`` without its query, which may hold a secret."""

    id: str
    topic: str
    url: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class HookCheck:
    """Our hooks after a look at them.

    ``brought_back``: those that had been disabled; ``missing``: topics without a hook.
    """

    working: Sequence[HookState]
    brought_back: Sequence[HookState]
    missing: Sequence[str]


class ExternalHooks:
    """The hooks of one connector, or of one account of it.

    ``address``: the last part of the account's webhook address. Raises Misconfigured if the
    manifest does not say how to manage them.
    """

    def __init__(self, manifest: Manifest, http: RemoteHttp, address: str = "") -> None:
        self.path = door_path(manifest.id, address)
        """Where the gateway takes them."""
        if manifest.webhook is None or manifest.webhook.manage is None:
            raise Misconfigured(
                f"connector {manifest.id} has no webhook.manage: make the webhook in the system's"
                f" own dashboard, to the address …{self.path}"
            )
        self._manifest, self._webhook = manifest, manifest.webhook
        self._manage: Manage = manifest.webhook.manage
        self._http, self._calls = http, ExternalCalls(manifest, http)

    def at(self, address: str) -> ExternalHooks:
        """Those at another address of the same account."""
        return ExternalHooks(self._manifest, self._http, address)

    def ours(self) -> list[HookState]:
        """Hooks that lead to this connector's address, at whatever host."""
        return [
            hook for hook in self._all() if urlsplit(hook.url).path.rstrip("/").endswith(self.path)
        ]

    def register(self, url: str) -> list[HookState]:
        """Make a hook for each topic that has none at ``url`` yet; return all that are there then.

        Raises Misconfigured for an address that is not this connector's.
        """
        if not urlsplit(url).path.rstrip("/").endswith(self.path):
            raise Misconfigured(
                f"{url} does not end with {self.path}, where the gateway takes this connector's"
                " webhooks"
            )
        there = {hook.topic for hook in self.ours() if hook.url.rstrip("/") == url.rstrip("/")}
        for topic in self._manage.topics:
            # A second hook for a topic would deliver everything twice.
            if topic not in there:
                hook = {"url": self._with_token(url), "topic": topic, "secret": self._secret}
                self._send("register", hook)
        return self.ours()

    def replace(self) -> None:
        """Make each of our hooks anew, at the address where it is, and take the one before away.

        A system signs with the secret that a hook was made with. Nothing is told in between only
        if the new one is there first; what both tell is taken once. For who ``can_replace``.
        """
        before = self.ours()
        for hook in before:
            url = self._with_token(hook.url)
            self._send("register", {"url": url, "topic": hook.topic, "secret": self._secret})
        self._take_away(before)

    @property
    def made_with(self) -> str:
        """A mark of the secrets that hooks are made with: no way leads back, and guesses are slow.

        https://www.rfc-editor.org/rfc/rfc7914
        """
        text = f"{self._secret} {self._with_token('')}".encode()
        salt = self._manifest.source.encode()
        return hashlib.scrypt(text, salt=salt, n=2**14, r=8, p=1, dklen=32).hex()

    @property
    def can_replace(self) -> bool:
        """Whether the manifest says how hooks are taken away."""
        return self._manage.remove is not None

    @property
    def connector(self) -> str:
        """The name of the connector."""
        return self._manifest.id

    @property
    def greets(self) -> bool:
        """Whether the system sends a greeting as a hook is made."""
        return bool(self._webhook.handshake)

    @property
    def topics(self) -> Sequence[str]:
        """The topics that need a hook each."""
        return self._manage.topics

    def doubts(self, url: str) -> list[str]:
        """Why the system may never call an address, as far as the address itself tells."""
        parts, manage = urlsplit(url), self._manage
        port = parts.port or (80 if parts.scheme == "http" else 443)
        found = []
        if manage.ports and port not in manage.ports:
            ports = ", ".join(map(str, manage.ports))
            found.append(f"it sends webhooks to the ports {ports} only, and this is port {port}")
        if manage.public_only and _is_private(parts.hostname or ""):
            found.append(f"it sends none to private addresses such as {parts.hostname}")
        return found

    def check(self) -> HookCheck:
        """Look at our hooks, and bring back those that the system has disabled."""
        ours = self.ours()
        disabled = [hook for hook in ours if not hook.is_enabled]
        self._enable(disabled)
        missing = [topic for topic in self.topics if topic not in {hook.topic for hook in ours}]
        return HookCheck(ours, disabled, missing)

    def enable(self) -> list[HookState]:
        """Bring back those that the system has disabled; return which these were."""
        return list(self.check().brought_back)

    def _enable(self, disabled: Sequence[HookState]) -> None:
        if disabled and self._manage.enable is None:
            raise Misconfigured(
                f"connector {self._manifest.id} does not say how hooks are enabled; use the"
                " dashboard"
            )
        for hook in disabled:
            parts = {"id": hook.id, "url": hook.url, "topic": hook.topic, "secret": self._secret}
            self._send("enable", parts)

    def remove(self) -> list[HookState]:
        """Take our hooks away; return which these were.

        Raises Misconfigured if the manifest does not say how, Transient while any is there still.
        """
        ours = self.ours()
        self._take_away(ours)
        if left := self.ours():
            topics = ", ".join(hook.topic for hook in left)
            raise Transient(f"connector {self._manifest.id} lists removed hooks still: {topics}")
        return ours

    def _take_away(self, hooks: Sequence[HookState]) -> None:
        spec = self._manage.remove
        if spec is None:
            raise Misconfigured(
                f"connector {self._manifest.id} does not say how hooks are removed; use the"
                " dashboard"
            )
        for hook in hooks:
            parts = {"id": hook.id, "url": hook.url, "topic": hook.topic, "secret": ""}
            options = Options(is_write=True, is_idempotent=True)
            try:
                self._calls.send(spec, "webhook.remove", self._calls.context(hook=parts), options)
            except SyncError as error:
                # Gone already: its owner, or a try before this one, took it away.
                if error.facts.status not in GONE:
                    raise

    @property
    def _secret(self) -> str:
        """What the system signs with. A token in the address is told by the address alone."""
        schemes = self._webhook.verify
        signing = [scheme for scheme in schemes if not isinstance(scheme, UrlTokenVerify)]
        return next(iter((signing or schemes)[0].secrets), "")

    def _with_token(self, url: str) -> str:
        """The address with its token, where the manifest verifies one.

        Each proof has its own secret: one that signs must not get into an address, and so into
        logs.
        """
        for scheme in self._webhook.verify:
            if isinstance(scheme, UrlTokenVerify):
                token = next(iter(scheme.secrets), "")
                return f"{url}?{urlencode({scheme.name: token})}"
        return url

    def _send(self, name: str, hook: dict[str, str]) -> None:
        spec = self._manage.register_ if name == "register" else self._manage.enable
        if spec is not None:
            # A second register would make a second hook. Enabling twice changes nothing.
            options = Options(is_write=True, is_idempotent=name == "enable")
            context = self._calls.context(hook=hook)
            self._calls.send(spec, f"webhook.{name}", context, options)

    def _all(self) -> Iterator[HookState]:
        place = Place()
        for _ in range(MAX_PAGES):
            context = self._calls.context()
            page = self._calls.page_of(
                self._manage.list,
                "webhook.manage.list",
                "webhook.list",
                context,
                place,
                lambda item: self._state(item).id or None,
            )
            yield from (self._state(item) for item in page.items)
            if page.place is None:
                return
            place = page.place
        raise Misconfigured(
            f"connector {self._manifest.id} lists hooks on more than {MAX_PAGES} pages: does the"
            " system know the paging of webhook.manage.list.pagination?"
        )

    def _state(self, item: Any) -> HookState:
        spec = self._manage.list
        url = str(search(spec.url, item) or "")
        return HookState(
            str(search(spec.id, item) or ""),
            str(search(spec.topic, item) or ""),
            url.partition("?")[0],
            bool(search(spec.enabled, item)),
        )


def door_path(connector: str, address: str = "") -> str:
    """Where the gateway takes webhooks; ``address``: the last part of an account's."""
    path = f"/webhooks/external/{connector}"
    return f"{path}/{address}" if address else path


def _is_private(host: str) -> bool:
    """Whether a host is inside a private network, as far as its name tells."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))
