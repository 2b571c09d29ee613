"""Serves both stand-ins on loopback addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from sync_sandbox.control.platform import platform_app
from sync_sandbox.control.reviews import reviews_app
from sync_sandbox.control.wix import wix_app
from sync_sandbox.dashboard.dashboard import Dashboard
from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.fera import Fera
from sync_sandbox.platforms.platform import Platform
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.reviews import ReviewsState
from sync_sandbox.served import Served
from sync_sandbox.webhooks import WebhookSender
from sync_sandbox.wix.state import WixState

PLATFORMS: dict[str, type[Platform]] = {one.name: one for one in (WooCommerce, Fera, BigCommerce)}


@dataclass(frozen=True)
class SandboxOptions:
    """Ports (0: any free one), where webhooks go, and how the stand-ins behave."""

    wix_port: int = 0
    reviews_port: int = 0
    wix_webhook_url: str | None = None
    reviews_webhook_url: str | None = None
    rate_per_minute: int | None = 200
    retry_scale: float = 1.0
    seed: int = 0
    signature: Literal["pairs", "standard"] = "pairs"
    token_seconds: int = 14_400
    sender_threads: int = 4
    public_key_file: Path | None = None
    platform: str | None = None  # a review platform in the place of the review service
    has_dashboard: bool = False  # where owners of further sites install the app
    at_shipped_pace: bool = False  # with the request budget of the platform's shipped manifest


@dataclass
class Sandbox:
    """Both stand-ins, running: ``with Sandbox() as box: box.wix_url, box.wix, box.reviews_url,
    box.reviews``.
    """

    options: SandboxOptions = field(default_factory=SandboxOptions)

    def __post_init__(self) -> None:
        options = self.options
        shared: dict[str, Any] = {
            "seed": options.seed,
            "retry_scale": options.retry_scale,
            "sender_threads": options.sender_threads,
        }
        self.wix = WixState(
            webhook_url=options.wix_webhook_url,
            rate_per_minute=options.rate_per_minute,
            token_seconds=options.token_seconds,
            **shared,
        )
        self.reviews = ReviewsState(
            webhook_url=options.reviews_webhook_url, signature=options.signature, **shared
        )
        self.dashboard = Dashboard(self.wix) if options.has_dashboard else None
        of_wix = wix_app(self.wix)
        api = of_wix if self.dashboard is None else self.dashboard.with_sites(of_wix)
        self._wix_server = Served(api, options.wix_port)
        self.platform: Platform | None = None
        if options.platform is not None:
            self.platform = PLATFORMS[options.platform](**shared)
        app = platform_app(self.platform) if self.platform else reviews_app(self.reviews)
        self._reviews_server = Served(app, options.reviews_port)
        if options.public_key_file is not None:
            options.public_key_file.write_text(self.wix.public_key)

    @property
    def wix_url(self) -> str:
        return self._wix_server.url

    @property
    def reviews_url(self) -> str:
        return self._reviews_server.url

    def settings(self, folder: Path | None = None) -> dict[str, str]:
        """The environment that makes ratings-sync talk to these stand-ins.

        ``folder``: where ``manifest()`` is kept.
        """
        wix = {
            "WIX_APP_ID": self.wix.app_id,
            "WIX_APP_SECRET": self.wix.app_secret,
            "WIX_PUBLIC_KEY": self.wix.public_key.replace("\n", "\\n"),
            "WIX_API_BASE_URL": self.wix_url,
        }
        if self.platform is not None:
            file = (folder or Path()) / f"{self.connector}.yaml"
            return {**wix, "CONNECTORS": str(file), **self.platform.settings()}
        return {
            **wix,
            "CONNECTORS": "own-service",
            "OWN_SERVICE_URL": self.reviews_url,
            "OWN_SERVICE_TOKEN": self.reviews.token,
            "OWN_SERVICE_WEBHOOK_SECRET": self.reviews.webhook_secret,
        }

    @property
    def connector(self) -> str:
        """Id of the connector that talks to the external stand-in."""
        return "own-service" if self.platform is None else f"{self.platform.name}-sandbox"

    def manifest(self) -> str:
        """The shipped manifest of the platform, pointed at its stand-in: plain http, on this
        machine, at any pace unless ``at_shipped_pace``.
        """
        if self.platform is None:
            raise LookupError("the review service needs no manifest of its own")
        pace = "http: {budget: {requests: 200, per_s: 1, concurrency: 8}}\n"
        return (
            f"version: 1\nextends: {self.platform.name}\nid: {self.connector}\nbase_url:"
            f" {self.reviews_url}\nallow_private_hosts: true\noutbound: on\n"
            f"{'' if self.options.at_shipped_pace else pace}"
        )

    @property
    def external_webhooks(self) -> WebhookSender:
        return self.platform.webhooks if self.platform else self.reviews.webhooks

    def send_webhooks_to(self, gateway_url: str) -> None:
        """Point both senders at a gateway."""
        self.wix.webhooks.url = f"{gateway_url}/webhooks/wix"
        external = f"{gateway_url}/webhooks/external/{self.connector}"
        if self.platform is not None:
            self.platform.connect(external)
        else:
            self.reviews.webhooks.url = external

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Wait until no webhook is on its way."""
        return self.wix.webhooks.flush(timeout_seconds) and self.external_webhooks.flush(
            timeout_seconds
        )

    def stop(self) -> None:
        for sender in {self.wix.webhooks, self.reviews.webhooks, self.external_webhooks}:
            sender.stop()
        for server in (self._wix_server, self._reviews_server):
            server.stop()
        if self.dashboard is not None:
            self.dashboard.stop()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
