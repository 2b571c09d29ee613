"""Values, scales, the plan, errors and ports: what every other room speaks in.

In: nothing. Out: frozen values, pure decisions, protocols. No I/O.
"""
