"""``ratings-sync reconcile``: both sides compared whole, as a person starts it."""
