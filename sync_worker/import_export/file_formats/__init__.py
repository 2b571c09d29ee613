"""Presets for ``ratings-sync import``: where the export files of known systems keep what a rating
is.
"""
