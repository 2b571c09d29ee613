"""``ratings-sync account``: what a shop gives to be connected."""
