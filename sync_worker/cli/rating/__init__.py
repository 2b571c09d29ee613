"""``ratings-sync rating``: what a person decides about one rating."""
