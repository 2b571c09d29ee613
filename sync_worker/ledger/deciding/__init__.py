"""What people decide about single ratings, in SQL.

In come decisions, out go deliveries of their links; and what is on file for whoever decides.
"""
