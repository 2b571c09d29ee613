"""How the processes run: Celery's settings and hooks, the single machine, waiting."""
