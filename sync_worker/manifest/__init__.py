"""The language of connectors: YAML in, a checked manifest out. Pure.

In: a manifest and what a system sent. Out: records, calls to make, verified events.
"""
