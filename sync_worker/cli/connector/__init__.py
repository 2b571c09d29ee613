"""``ratings-sync connector``: what there is, what it can do, whether it is right."""
