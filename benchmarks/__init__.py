"""Benchmarks: ``python -m benchmarks``.

Every comparison is made in one run on one machine, and printed as a ratio.
"""
