"""The gateway in the process of a test or a benchmark, over the parts of its worker, so that all
can be counted.
"""

from __future__ import annotations

from sync_sandbox.served import Served
from sync_sandbox.server import Sandbox
from sync_worker.core.ports.doorbell import Bell
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.wiring import Wiring
from webhook_gateway.app import create_app
from webhook_gateway.group_commit import Store
from webhook_gateway.settings import GatewayConfig


def serve_door(wiring: Wiring, bell: Bell, box: Sandbox, store: Store | None = None) -> Served:
    """Listens on a free port until it is stopped.

    ``store``: the wiring's own ledger unless told otherwise.
    """
    config = GatewayConfig(
        wix_keys=load_public_keys(box.wix.public_key),
        wix_app_id=box.wix.app_id,
        manifests=wiring.manifests,
        store=store or wiring.ledger.inbox.store_all,
        bell=bell,
        is_ledger_up=lambda: True,
    )
    return Served(create_app(config), 0)
