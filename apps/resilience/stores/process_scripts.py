"""The Lua of the register of processes: a sorted set of names by when they last showed themselves."""

from __future__ import annotations

from apps.resilience.stores.breaker_scripts import NOW

# KEYS processes; ARGV name, gone_us -> how many showed themselves within gone_us
BEAT = (
    NOW
    + """
redis.call('ZADD', KEYS[1], whole(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - number(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], math.ceil(number(ARGV[2]) / 1000))
return redis.call('ZCARD', KEYS[1])
"""
)
