"""Words that every room uses: time, identities, money, errors, transactions."""
