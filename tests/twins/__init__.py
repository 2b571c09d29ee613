"""In-memory twins of the ports: real implementations that pass the same conformance suites as the
adapters.
"""
