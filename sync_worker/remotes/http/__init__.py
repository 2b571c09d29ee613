"""One HTTP client for every remote: deadline, retries, budget, outages.

In: a call. Out: its answer, or an error of the error tree.
"""
