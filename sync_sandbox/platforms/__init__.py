"""Stand-ins of review platforms and shops, with the quirks of the real ones."""
