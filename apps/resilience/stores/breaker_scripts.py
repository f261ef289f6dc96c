"""The Lua of the Redis store for breakers. Each script is the twin of a pure function in `breaker.py`.

`tests/integration/resilience` runs both on the same histories and compares every answer. KEYS are the breaker's hash
and the sorted set of its probes' leases. Times are whole microseconds of the server's own clock; numbers are written
with %.0f because Lua's default loses digits.
"""

from __future__ import annotations

NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function number(text) return tonumber(text) or 0 end
local function whole(value) return string.format('%.0f', value) end
"""

# What every verb answers that shows the state: phase, failures, generation, until, window, saved, the server's
# present, then the leases.
_STATE = """
local function state()
  local kept = redis.call('HMGET', KEYS[1], 'phase', 'failures', 'generation', 'until', 'window', 'saved')
  local shown = {kept[1] or 'closed', kept[2] or '0', kept[3] or '0', kept[4] or '0', kept[5] or '', kept[6] or '0', whole(now)}
  for _, word in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')) do shown[#shown + 1] = word end
  return shown
end
"""

LOOK = NOW + _STATE + "return state()"

# ARGV token, probes, probe_lease_us, ttl_ms -> allowed, phase, generation, wait_us
ADMIT = (
    NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'phase', 'generation', 'until')
local phase, generation, ends = kept[1] or 'closed', number(kept[2]), number(kept[3])
if phase == 'closed' then return {1, phase, generation, 0} end
if phase == 'open' then
  if now < ends then return {0, phase, generation, ends - now} end
  phase, generation = 'half_open', generation + 1
  redis.call('HSET', KEYS[1], 'phase', phase, 'generation', whole(generation), 'until', '0', 'failures', '0')
  redis.call('HDEL', KEYS[1], 'window')
  redis.call('DEL', KEYS[2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(now))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if redis.call('ZCARD', KEYS[2]) >= number(ARGV[2]) then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return {0, phase, generation, number(first[2]) - now}
end
redis.call('ZADD', KEYS[2], whole(now + number(ARGV[3])), ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {1, phase, generation, 0}
"""
)

# ARGV token, probe_lease_us
RENEW = (
    NOW
    + """
local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not ends or number(ends) <= now then return 0 end
redis.call('ZADD', KEYS[2], whole(now + number(ARGV[2])), ARGV[1])
return 1
"""
)

# ARGV generation, verdict, token, calls, failed, slow, saved, failures_max, open_us, window_us, calls_min, failure_rate,
# slow_rate, ttl_ms -> the state
REPORT = (
    NOW
    + _STATE
    + """
local kept = redis.call('HMGET', KEYS[1], 'phase', 'generation', 'failures', 'window')
local phase, generation, failures = kept[1] or 'closed', number(kept[2]), number(kept[3])
local verdict = ARGV[2]
if ARGV[3] ~= '' then redis.call('ZREM', KEYS[2], ARGV[3]) end
local function keep(...)
  redis.call('HSET', KEYS[1], ...)
  redis.call('PEXPIRE', KEYS[1], ARGV[14])
end
local function turn(to, many, ends)
  keep('phase', to, 'failures', whole(many), 'generation', whole(generation + 1), 'until', whole(ends))
  redis.call('HDEL', KEYS[1], 'window')
  redis.call('DEL', KEYS[2])
end
if number(ARGV[7]) > 0 then
  redis.call('HINCRBY', KEYS[1], 'saved', ARGV[7])
  redis.call('PEXPIRE', KEYS[1], ARGV[14])
end
if number(ARGV[1]) ~= generation or phase == 'open' then return state() end
if phase == 'half_open' then
  if verdict == 'success' then turn('closed', 0, 0) end
  if verdict == 'failure' then turn('open', number(ARGV[8]), now + number(ARGV[9])) end
  return state()
end
local cell = math.max(1, math.floor(number(ARGV[10]) / 10))
local slot = (now - now % cell) / cell
local calls, failed, slow, cells = number(ARGV[4]), number(ARGV[5]), number(ARGV[6]), {}
local sum = {calls, failed, slow}
for at, c, f, s in string.gmatch(kept[4] or '', '(%d+):(%d+):(%d+):(%d+)') do
  at, c, f, s = number(at), number(c), number(f), number(s)
  if at > slot - 10 then
    sum[1], sum[2], sum[3] = sum[1] + c, sum[2] + f, sum[3] + s
    if at == slot then
      calls, failed, slow = calls + c, failed + f, slow + s
    else
      cells[#cells + 1] = whole(at) .. ':' .. whole(c) .. ':' .. whole(f) .. ':' .. whole(s)
    end
  end
end
if calls > 0 then cells[#cells + 1] = whole(slot) .. ':' .. whole(calls) .. ':' .. whole(failed) .. ':' .. whole(slow) end
local window = table.concat(cells, ' ')
if verdict == 'success' then failures = 0 end
if verdict == 'failure' then failures = failures + 1 end
local is_bad = failures >= number(ARGV[8])
if sum[1] >= number(ARGV[11]) then
  is_bad = is_bad or sum[2] >= sum[1] * number(ARGV[12]) or sum[3] >= sum[1] * number(ARGV[13])
end
if is_bad then
  turn('open', failures, now + number(ARGV[9]))
elseif failures ~= number(kept[3]) or window ~= (kept[4] or '') then
  keep('failures', whole(failures), 'window', window)
end
return state()
"""
)

# KEYS breaker, probes, pace; ARGV ttl_ms
RESET = """
local kept = redis.call('HMGET', KEYS[1], 'generation', 'saved')
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'generation', string.format('%.0f', (tonumber(kept[1]) or 0) + 1), 'saved', kept[2] or '0')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], 'interval', 'successes', 'paused', 'floor', 'good', 'bad', 'step', 'patience', 'quiet_from', 'quiet')
return 1
"""
