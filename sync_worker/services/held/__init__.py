"""What is held, and what is on its way: shown, released, dropped, helped on; for whoever may."""
