"""What the inner rooms need from outside: one protocol for each role.

Adapters and in-memory twins implement them; each module also holds the values of its port.
"""
