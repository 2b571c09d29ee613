"""``python -m sync_console``: as ``ratings-sync console``, for who starts processes."""

from __future__ import annotations

import sys

from sync_console.serve import main
from sync_worker.core.errors import Misconfigured

if __name__ == "__main__":
    try:
        sys.exit(main())
    except Misconfigured as error:
        sys.exit(f"console: {error}")
