"""The memory: written beside every change, in the same transaction."""
