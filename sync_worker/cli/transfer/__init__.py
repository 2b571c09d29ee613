"""``ratings-sync export`` and ``import``: ratings to files and from files, streaming."""
