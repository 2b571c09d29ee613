"""Signed app instances, as Wix makes them; independent of the product's own code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

SECRET = "app-secret-of-tests"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def instance_of(
    instance_id: str = "instance-1",
    *,
    secret: str = SECRET,
    age_seconds: float = 5,
    leave_out: tuple[str, ...] = (),
    **more: Any,
) -> str:
    """``more``: further fields, or others in the place of the usual ones."""
    signed = datetime.now(UTC) - timedelta(seconds=age_seconds)
    fields = {
        "instanceId": instance_id,
        "appDefId": "app-1",
        "signDate": signed.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uid": "uid-of-the-owner",
        "permissions": "OWNER",
        "demoMode": False,
        "siteOwnerId": "uid-of-the-owner",
        "siteMemberId": "uid-of-the-owner",
        "biToken": "bi",
    } | more
    data = {name: value for name, value in fields.items() if name not in leave_out}
    text = unpadded(json.dumps(data).encode())
    return f"{signature_of(text, secret)}.{text}"


def signature_of(text: str, secret: str = SECRET) -> str:
    return unpadded(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())
