"""The store: events, markets, outcomes, quotes, instruments, candles, results."""
