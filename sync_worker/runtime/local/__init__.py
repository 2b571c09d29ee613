"""One machine: its processes, its own Redis, its free ports.

In: settings. Out: running processes that stop together.
"""
