"""Accounts: what a shop gives to be connected, on a running fleet.

In: values as people or programs give them, and who gives them. Out: rows, or a refusal in words.
"""
