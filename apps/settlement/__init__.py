"""Outcomes become money, exactly once."""
