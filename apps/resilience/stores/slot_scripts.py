"""The Lua that takes slots of a pace, and what bears on slots: each script is the twin of pure functions in `limiter.py`.

KEYS are the hash of one pace, see `pace_scripts.py`.
"""

from __future__ import annotations

from apps.resilience import learning
from apps.resilience.stores.breaker_scripts import NOW

# What takes slots, written once for all that do: it reads `key`, `now`, `published`, `tolerance`, `most` (the longest
# wait), `ttl`, `window` and `wanted`, and sets `taken`, `start`, `wait`, `interval`, `lead` and `slowdowns`.
#
# Every call runs it, so it is written for speed: one read, one write, no closures, and the time to live is renewed with
# each new cell only. redis.call writes numbers in full, so they need no formatting here. `override` is the interval that
# people have set: like a learned one it is kept evenly.
TAKE = f"""
local length = math.max(1, math.floor(window / {learning.CELLS_PER_WINDOW}))
local newest = (now - now % length) / length
local near = 'c' .. newest % {learning.CELLS}
local kept = redis.call('HMGET', key, 'arrival', 'interval', 'paused', 'floor', 'slowdowns', near, 'override')
local arrival, floor, slowdowns = tonumber(kept[1] or 0), tonumber(kept[4] or 0), tonumber(kept[5] or 0)
local override = tonumber(kept[7] or 0)
local interval = math.max(published, tonumber(kept[2] or 0), floor, override)
if floor > 0 or override > published then tolerance = 0 end
local start = math.max(now, arrival - tolerance, tonumber(kept[3] or 0))
arrival = math.max(arrival, start)
local wait, lead = start - now, start + tolerance - arrival
local taken = 0
if wait <= most and wanted > 0 then
  taken = math.min(wanted, math.floor((most - wait + lead) / interval) + 1)
  local changes, is_new = {{'arrival', arrival + taken * interval}}, false
  local index = 0
  while index < taken do
    local at = start + math.max(0, index * interval - lead)
    local cell, count = (at - at % length) / length, 0
    repeat
      index, count = index + 1, count + 1
      at = start + math.max(0, index * interval - lead)
    until index >= taken or (at - at % length) / length ~= cell
    if cell - newest <= {learning.CELLS_AHEAD} then
      local field = 'c' .. cell % {learning.CELLS}
      local packed = tonumber(field == near and (kept[6] or 0) or redis.call('HGET', key, field) or 0)
      local base = (cell % 4294967296) * 1048576
      if packed < base or packed >= base + 1048576 then packed, is_new = base, true end
      changes[#changes + 1], changes[#changes + 2] = field, packed + count
    end
  end
  redis.call('HSET', key, unpack(changes))
  if is_new then redis.call('PEXPIRE', key, ttl) end
end
"""

# ARGV interval_us, tolerance_us, wait_us_max, ttl_ms, window_us, count -> taken, wait_us, interval_us, lead_us, slowdowns
RESERVE = f"""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local key, published, tolerance, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ttl, window, wanted = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
{TAKE}
return {{taken, wait, interval, lead, slowdowns}}
"""

# ARGV at_us, slowdowns, late_us_max -> 1 when a slot that was taken then is still worth a call: nothing was refused
# since, no pause begins after it, and it is not so long ago that calls would come too close together.
REDEEM = (
    NOW
    + """
local kept = redis.call('HMGET', KEYS[1], 'slowdowns', 'paused')
local at, is_heard = number(ARGV[1]), number(kept[1]) > number(ARGV[2]) or number(kept[2]) > number(ARGV[1])
return (not is_heard and now - at <= number(ARGV[3])) and 1 or 0
"""
)

# ARGV interval_us (0: as published), ttl_ms
OVERRIDE = """
if ARGV[1] == '0' then return redis.call('HDEL', KEYS[1], 'override') end
redis.call('HSET', KEYS[1], 'override', ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
