"""What can be seen from outside: metrics, logs, figures.

In: outcomes and counts. Out: Prometheus series and log lines, never a payload.
"""
