"""The gateway of a newer version, as a rolling deploy may start it first: it rings with a task of
its own.
"""

from __future__ import annotations

import sys

from webhook_gateway import doorbell
from webhook_gateway.serve import main

if __name__ == "__main__":
    vars(doorbell)["DELIVERY_TASK"] = "sync_worker.tasks.sync_delivery_of_tomorrow"
    sys.exit(main())
