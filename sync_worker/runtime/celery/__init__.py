"""Celery as this project runs it: settings, broker, events, schedule, signals, and Flower's
settings.
"""
