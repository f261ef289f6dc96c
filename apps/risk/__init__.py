"""The hard limits."""
