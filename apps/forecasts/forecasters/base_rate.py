"""The base rate of a kind of question: how often its first outcome paid, with Laplace's prior.

(k + 1) / (n + 2) is the mean of the posterior after k of n under a uniform prior (P.-S. Laplace, "Essai philosophique sur
les probabilités", 1814: the rule of succession).
"""

from __future__ import annotations


def base_rate(paid: float, resolved: int) -> float:
    """Return the chance that the next one pays, after `paid` (a sum of payouts) of `resolved`. Raises ValueError."""
    if not 0 <= paid <= resolved:
        raise ValueError(f"{paid} cannot have paid of {resolved}")
    return (paid + 1) / (resolved + 2)
