"""``ratings-sync onboard``: a site from its installation to its start, step by step."""
