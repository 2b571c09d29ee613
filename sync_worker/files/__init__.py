"""Files that people write and read: rows of CSV and JSONL, mapping files, catalogues, YAML.

In: bytes of anybody's hand. Out: values within bounds, proposals, or what is wrong and where.
"""
