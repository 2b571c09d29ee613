"""Headless CMS as they answer: a stand-in for each manifest under ``examples/connectors``."""
