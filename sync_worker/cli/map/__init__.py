"""``ratings-sync map``: the three mappings from files and to files, and proposals for them."""
