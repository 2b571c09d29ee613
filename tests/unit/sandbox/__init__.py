"""The stand-ins themselves: what they accept, refuse and tell."""
