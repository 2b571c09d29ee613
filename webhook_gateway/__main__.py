"""``python -m webhook_gateway``: the door."""

import sys

from webhook_gateway.serve import main

if __name__ == "__main__":
    sys.exit(main())
