"""How the processes run: Celery, the single machine, the core of a process, and all waiting.

In: parts and settings, handed over. Out: processes that start, wait, and stop in good order.
"""
