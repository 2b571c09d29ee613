"""Redis: faster, never the truth. Loop guard, budget, tokens; each works on without it.

In: keys and revisions. Out: a hit, a miss, or a time to wait.
"""
