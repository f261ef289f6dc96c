"""The book: double entry that has never heard of a bet."""
