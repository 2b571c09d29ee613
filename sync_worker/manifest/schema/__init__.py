"""The shape of a manifest, section by section.

In: parsed YAML. Out: strict models, or the place and the reason of what is wrong.
"""
