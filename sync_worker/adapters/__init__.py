"""Earlier paths that plugins may import for one release more: use ``sync_worker.plugin``."""
