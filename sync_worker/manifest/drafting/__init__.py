"""First drafts of manifests: from a sample record, a captured webhook, an OpenAPI document. Pure.

In: what a system really sends. Out: sections of a manifest, and what is left to be filled in.
"""
