"""The accounts of one process: taken up from the ledger as they change, in bounded memory.

In: rows with sealed secrets, the keys that open them, the code of each connector. Out: for each
account a manifest with its own values, as long as it counts.
"""
