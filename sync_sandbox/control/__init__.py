"""How people and tests act on the stand-ins: a JSON API under ``/sandbox``, and a page at ``/``."""
