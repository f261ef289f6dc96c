"""Orders, fills and the venue."""
