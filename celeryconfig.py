"""Celery settings, each with its reason."""
