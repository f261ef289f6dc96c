"""Opinions with a price beside them."""
