"""Celery as this project runs it: settings, broker, bell, schedule, signals, and Flower's settings.

In: parts that the composition hands over. Out: a worker and a scheduler that no message can stop.
"""
