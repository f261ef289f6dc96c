"""The Lua of the shared leases and the shared cache; the twins of `memory_leases.py` and `memory_cache.py`.

Fences are whole microseconds, well below 2^53, so Lua's numbers hold them; they are written with %.0f because its
default loses digits. A key of another type under our name is foreign: it is dropped before a write.

The scripts serve many keys, because a command of its own for each costs the caller five times as much as the work in
it. While one runs the server does nothing else: `KEYS_A_TRIP` keeps that to a millisecond or two.
"""

from __future__ import annotations

KEYS_A_TRIP = 250

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function number(text) return tonumber(text) or 0 end
local function whole(value) return string.format('%.0f', value) end
"""

_GRANT = (
    _NOW
    + """
local function grant(lease, owner, lease_us, ttl_ms)
    local kept = redis.call('HMGET', lease, 'fence', 'until')
    local fence, left = number(kept[1]), number(kept[2]) - now
    if left > 0 then return {0, fence, left} end
    fence = math.max(fence + 1, now)
    redis.call('HSET', lease, 'owner', owner, 'fence', whole(fence), 'until', whole(now + number(lease_us)))
    redis.call('PEXPIRE', lease, ttl_ms)
    return {1, fence, 0}
end
"""
)

# KEYS lease; ARGV owner, lease_us, ttl_ms -> granted, fence, left_us
ACQUIRE = _GRANT + "return grant(KEYS[1], ARGV[1], ARGV[2], ARGV[3])"

# KEYS entry, lease of each; ARGV owner, lease_us, ttl_ms, known fence of each -> for each granted, fence, left_us, and the
# fields of a granted key, or the error of one that is no hash, when its fence is not the known one
CLAIM = (
    _GRANT
    + """
local answers = {}
for index = 1, #KEYS / 2 do
    local entry = KEYS[2 * index - 1]
    local answer = grant(KEYS[2 * index], ARGV[1], ARGV[2], ARGV[3])
    if answer[1] == 1 then
        local fence = redis.pcall('HGET', entry, 'fence')
        if type(fence) == 'table' or number(fence) ~= number(ARGV[3 + index]) then
            answer[4] = redis.pcall('HMGET', entry, 'head', 'body', 'failure', 'fence')
        end
    end
    answers[index] = answer
end
return answers
"""
)

# KEYS leases; ARGV fence, lease_us (0: release) of each -> 1 for each that was ours
EXTEND = (
    _NOW
    + """
local answers = {}
for index, key in ipairs(KEYS) do
    local kept = redis.call('HMGET', key, 'fence', 'until')
    local fence, lease_us = number(ARGV[2 * index - 1]), number(ARGV[2 * index])
    if number(kept[1]) ~= fence or number(kept[2]) == 0 then
        answers[index] = 0
    else
        redis.call('HSET', key, 'until', lease_us > 0 and whole(now + lease_us) or '0')
        answers[index] = 1
    end
end
return answers
"""
)

# KEYS entries -> for each head, body, failure, fence, or the error of a key that is no hash
READ = """
local answers = {}
for index, key in ipairs(KEYS) do
    answers[index] = redis.pcall('HMGET', key, 'head', 'body', 'failure', 'fence')
end
return answers
"""

# KEYS entry, lease of each; ARGV 1 to give the leases of these fences back, then fence, ttl_ms, head, body, failure of each,
# head or failure empty -> 1 for each written. A value beside a failure keeps its own time to live.
WRITE = (
    _NOW
    + """
local function fence_of(entry)
    local fence = redis.pcall('HGET', entry, 'fence')
    if type(fence) ~= 'table' then return number(fence) end
    redis.call('DEL', entry)
    return 0
end
local answers = {}
for index = 1, #KEYS / 2 do
    local entry, lease, from = KEYS[2 * index - 1], KEYS[2 * index], 5 * index - 3
    local granted, fence = number(redis.call('HGET', lease, 'fence')), number(ARGV[from])
    local newest = math.max(fence_of(entry), granted)
    if ARGV[1] == '1' and fence == granted then redis.call('HSET', lease, 'until', '0') end
    if fence == 0 then fence = math.max(newest + 1, now) end
    if fence < newest then
        answers[index] = 0
    else
        answers[index] = 1
        if ARGV[from + 2] ~= '' then
            redis.call('HSET', entry, 'head', ARGV[from + 2], 'body', ARGV[from + 3], 'fence', whole(fence))
            redis.call('HDEL', entry, 'failure')
            redis.call('PEXPIRE', entry, ARGV[from + 1])
        else
            redis.call('HSET', entry, 'failure', ARGV[from + 4], 'fence', whole(fence))
            if redis.call('HEXISTS', entry, 'head') == 0 then redis.call('PEXPIRE', entry, ARGV[from + 1]) end
        end
    end
end
return answers
"""
)
