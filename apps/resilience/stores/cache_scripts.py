"""The Lua of the shared leases and the shared cache; the twins of `memory_leases.py` and `memory_cache.py`.

Fences are whole microseconds, well below 2^53, so Lua's numbers hold them; they are written with %.0f because its
default loses digits. A key of another type under our name is foreign: it is dropped before a write.
"""

from __future__ import annotations

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function number(text) return tonumber(text) or 0 end
local function whole(value) return string.format('%.0f', value) end
"""

# KEYS lease; ARGV owner, lease_us, ttl_ms -> granted, fence, left_us
ACQUIRE = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'fence', 'until')
local fence, ends = number(kept[1]), number(kept[2])
if ends > now then return {0, fence, ends - now} end
fence = math.max(fence + 1, now)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', whole(fence), 'until', whole(now + number(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, fence, number(ARGV[2])}
"""
)

# KEYS lease; ARGV fence, lease_us (0: release) -> 1 when it was ours
EXTEND = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'fence', 'until')
if number(kept[1]) ~= number(ARGV[1]) or number(kept[2]) == 0 then return 0 end
local ends = 0
if number(ARGV[2]) > 0 then ends = now + number(ARGV[2]) end
redis.call('HSET', KEYS[1], 'until', whole(ends))
return 1
"""
)

_FENCED = (
    _NOW
    + """
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local newest = math.max(number(redis.call('HGET', KEYS[1], 'fence')), number(redis.call('HGET', KEYS[2], 'fence')))
local fence = number(ARGV[1])
if fence == 0 then fence = math.max(newest + 1, now) end
if fence < newest then return 0 end
"""
)

# KEYS entry, lease; ARGV fence, head, body, ttl_ms -> 1 when written
WRITE = (
    _FENCED
    + """
redis.call('HSET', KEYS[1], 'head', ARGV[2], 'body', ARGV[3], 'fence', whole(fence))
redis.call('HDEL', KEYS[1], 'failure')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
)

# KEYS entry, lease; ARGV fence, failure, ttl_ms -> 1 when written; a value beside it keeps its own time to live
WRITE_FAILURE = (
    _FENCED
    + """
redis.call('HSET', KEYS[1], 'failure', ARGV[2], 'fence', whole(fence))
if redis.call('HEXISTS', KEYS[1], 'head') == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
"""
)
