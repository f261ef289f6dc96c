"""The Lua of the Redis store. Each script is the twin of a pure function in `limiter.py` or `breaker.py`.

`tests/integration/resilience` runs both on the same histories and compares every answer. Times are whole
microseconds of the server's own clock; numbers are written with %.0f because Lua's default loses digits.
"""

from __future__ import annotations

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function number(text) return tonumber(text) or 0 end
local function whole(value) return string.format('%.0f', value) end
"""

# KEYS pace; ARGV interval_us, tolerance_us, wait_us_max, ttl_ms -> granted, wait_us, interval_us
RESERVE = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'arrival', 'interval', 'paused')
local interval = math.max(number(ARGV[1]), number(kept[2]))
local start = math.max(now, number(kept[1]) - number(ARGV[2]), number(kept[3]))
if start - now > number(ARGV[3]) then
  return {0, start - now, interval}
end
redis.call('HSET', KEYS[1], 'arrival', whole(math.max(number(kept[1]), start) + interval))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {1, start - now, interval}
"""
)

# KEYS pace; ARGV interval_us, feedback, retry_after_us (-1: none), ttl_ms, steps, faster, on_limit, on_error, slowest_us
ADAPT = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'interval', 'successes', 'paused')
local published = number(ARGV[1])
local interval = math.max(published, number(kept[1]))
local successes, paused, pause = 0, number(kept[3]), number(ARGV[3])
if ARGV[2] == 'success' then
  successes = number(kept[2]) + 1
  if successes >= number(ARGV[5]) then
    successes = 0
    interval = math.max(published, math.floor(interval * number(ARGV[6])))
  end
elseif ARGV[2] == 'rate_limit' and pause >= 0 then
  paused = math.max(paused, now + pause)
elseif ARGV[2] == 'rate_limit' then
  interval = math.min(math.floor(interval * number(ARGV[7])), number(ARGV[9]))
else
  interval = math.min(math.floor(interval * number(ARGV[8])), number(ARGV[9]))
end
redis.call('HSET', KEYS[1], 'interval', whole(interval), 'successes', whole(successes), 'paused', whole(paused))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
)

# KEYS breaker; ARGV probes, probe_lease_us, ttl_ms -> allowed, phase, generation, wait_us
ADMIT = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'phase', 'generation', 'until', 'probes', 'failures')
local phase, generation = kept[1] or 'closed', number(kept[2])
local ends, probes = number(kept[3]), number(kept[4])
if phase == 'closed' then return {1, phase, generation, 0} end
if phase == 'open' then
  if now < ends then return {0, phase, generation, ends - now} end
  phase, generation, ends, probes = 'half_open', generation + 1, 0, 0
end
if now >= ends then probes = 0 end
local allowed = 0
if probes < number(ARGV[1]) then
  allowed, probes, ends = 1, probes + 1, now + number(ARGV[2])
end
redis.call('HSET', KEYS[1], 'phase', phase, 'generation', whole(generation), 'until', whole(ends),
           'probes', whole(probes), 'failures', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {allowed, phase, generation, allowed == 1 and 0 or math.max(0, ends - now)}
"""
)

# KEYS breaker; ARGV generation, verdict, failures_max, open_us, ttl_ms -> phase, failures, generation, until, probes
REPORT = (
    _NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'phase', 'generation', 'until', 'probes', 'failures')
local phase, generation = kept[1] or 'closed', number(kept[2])
local ends, probes, failures = number(kept[3]), number(kept[4]), number(kept[5])
local before = table.concat({phase, whole(generation), whole(probes), whole(failures)}, ' ')
local is_news = number(ARGV[1]) == generation and phase ~= 'open'
if is_news and ARGV[2] == 'neutral' then
  if phase == 'half_open' then probes = math.max(0, probes - 1) end
elseif is_news and ARGV[2] == 'success' then
  if phase == 'half_open' then phase, generation, ends, probes = 'closed', generation + 1, 0, 0 end
  failures = 0
elseif is_news then
  failures = phase == 'half_open' and number(ARGV[3]) or failures + 1
  if failures >= number(ARGV[3]) then
    phase, generation, ends, probes = 'open', generation + 1, now + number(ARGV[4]), 0
  end
end
if before ~= table.concat({phase, whole(generation), whole(probes), whole(failures)}, ' ') then
  redis.call('HSET', KEYS[1], 'phase', phase, 'generation', whole(generation), 'until', whole(ends),
             'probes', whole(probes), 'failures', whole(failures))
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return {phase, failures, generation, ends, probes}
"""
)

# KEYS breaker, pace; ARGV ttl_ms
RESET = """
local generation = (tonumber(redis.call('HGET', KEYS[1], 'generation') or '0') or 0) + 1
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'phase', 'closed', 'generation', string.format('%.0f', generation))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], 'interval', 'successes', 'paused')
return generation
"""
