"""A stand-in Wix and a stand-in review service that speak the real contracts over HTTP: demo,
tests, development.
"""
