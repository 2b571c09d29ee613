"""Wix: ratings, contacts, access tokens and events.

In: drafts and ids. Out: records as Wix shows them.
"""
