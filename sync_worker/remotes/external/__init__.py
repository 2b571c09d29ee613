"""The external system that a manifest describes.

In: a manifest, drafts and ids. Out: records as that system shows them.
"""
