"""Rows of record: work that is to be done once, whoever is killed on the way."""
