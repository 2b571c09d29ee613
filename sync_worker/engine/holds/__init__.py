"""What waits, and when it frees itself.

In: errors of runs, held deliveries. Out: what becomes of them.
"""
