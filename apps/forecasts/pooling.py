"""Price and model in one probability.

    logit p = logit p_price + b + w · (logit p_model - logit p_price)

`w` is the measured value of our model and `b` the bias of the price in a group of questions; both start at 0, where the
answer is the price. A pooled probability is never surer than the surer of its two sources: nothing is extremised.
"""

from __future__ import annotations

from math import exp, log

CLIP = 0.0005  # half the finest tick: a probability of exactly 0 or 1 has no logit
WEIGHT_MIN, WEIGHT_MAX = 0.0, 1.0


def logit(chance: float) -> float:
    """Return the log odds of `chance`, clipped away from 0 and 1."""
    clipped = min(max(chance, CLIP), 1 - CLIP)
    return log(clipped / (1 - clipped))


def chance_of(log_odds: float) -> float:
    """Return the probability of log odds, without overflow on either side."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    return exp(log_odds) / (1 + exp(log_odds))


def pool(p_price: float | None, p_model: float | None, *, w: float, b: float) -> float | None:
    """Return the pooled probability; the one that is there when the other is missing; None without either."""
    if p_price is None:
        return p_model
    price = logit(p_price)
    model = price if p_model is None else logit(p_model)
    pooled = price + b + min(max(w, WEIGHT_MIN), WEIGHT_MAX) * (model - price)
    surest = max(abs(price), abs(model))
    return chance_of(min(max(pooled, -surest), surest))
