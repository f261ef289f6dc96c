"""The safe: backups proved by restoring them."""
