"""The signed app instance in the address of the app's page, as the dashboard of Wix gives it.

https://dev.wix.com/docs/build-apps/develop-your-app/access/app-instances/parse-the-app-instance-query-parameter
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_sandbox.wix.state import WixState
from sync_worker.core import exact_json

OWNER_UID = "owner-of-the-sandbox"
HOUR_SECONDS = 3600.0
FORGED, EXPIRED, ANONYMOUS = "forged", "expired", "anonymous"


def signed_instance(wix: WixState, fault: str = "") -> str:
    """``{signature}.{data}`` for the owner of this site, now. No two are alike.

    ``fault``: FORGED, EXPIRED (an hour old) or ANONYMOUS (a visitor, with an ``aid``).
    """
    age = timedelta(seconds=HOUR_SECONDS if fault == EXPIRED else 0.0)
    fields: dict[str, Any] = {
        "instanceId": wix.instance_id,
        "appDefId": wix.app_id,
        "signDate": (datetime.now(UTC) - age).isoformat(timespec="milliseconds"),
        "uid": OWNER_UID,
        "permissions": "OWNER",
        "demoMode": False,
        "siteOwnerId": OWNER_UID,
        "biToken": str(uuid.uuid4()),
    }
    if fault == ANONYMOUS:
        fields = {**fields, "aid": str(uuid.uuid4())}
        del fields["uid"], fields["permissions"]
    secret = "of somebody else" if fault == FORGED else wix.app_secret
    return _signed(fields, secret)


def _signed(fields: Mapping[str, Any], secret: str) -> str:
    data = _unpadded(exact_json.dumps(dict(fields)).encode())
    return f"{_unpadded(hmac.new(secret.encode(), data.encode(), hashlib.sha256).digest())}.{data}"


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
