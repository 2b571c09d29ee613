"""The HTTP API of each platform's stand-in."""

from __future__ import annotations

from flask import Flask

from sync_sandbox.platforms.bigcommerce import BigCommerce
from sync_sandbox.platforms.bigcommerce_app import create_bigcommerce_app
from sync_sandbox.platforms.fera import Fera, create_fera_app
from sync_sandbox.platforms.platform import Platform
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.platforms.woocommerce_app import create_woocommerce_app


def create_platform_app(platform: Platform) -> Flask:
    """Raises TypeError for a platform that has none."""
    match platform:
        case WooCommerce():
            return create_woocommerce_app(platform)
        case BigCommerce():
            return create_bigcommerce_app(platform)
        case Fera():
            return create_fera_app(platform)
        case _:
            raise TypeError(f"{platform.name} has no API")
