"""Entities, contacts and fields of both sides: mapping files and proposals.

In: CSV files, two catalogues. Out: checked mappings, and what a person has to decide.
"""
