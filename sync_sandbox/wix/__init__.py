"""The stand-in Wix: its state, its events and its HTTP API."""
