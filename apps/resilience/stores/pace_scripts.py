"""The Lua that adapts a pace: the twin of pure functions in `limiter.py` and `learning.py`; `slot_scripts.py` takes slots.

KEYS are the hash of one pace: its figures by name, and the cells of its trail as `c0` … `c255`, each holding its
number (modulo 2^32) times 2^20 plus the count. See `breaker_scripts.py` for times and numbers.
"""

from __future__ import annotations

from apps.resilience import learning, limiter
from apps.resilience.stores.breaker_scripts import NOW

_CELLS = f"""
local CELLS, PER_WINDOW, AHEAD = {learning.CELLS}, {learning.CELLS_PER_WINDOW}, {learning.CELLS_AHEAD}
local function cell_of(at, window)
  local length = math.max(1, math.floor(window / PER_WINDOW))
  return (at - at % length) / length
end
local function field(cell) return 'c' .. whole(cell % CELLS) end
local function unpacked(cell, text)
  local packed = number(text)
  local count = packed % 1048576
  if (packed - count) / 1048576 == cell % 4294967296 then return count end
  return 0
end
local function packed(cell, count) return whole((cell % 4294967296) * 1048576 + count) end
"""

_LEARN = (
    f"""
local MARGIN, SLOWER_MAX, SETTLED_RATIO = {learning.MARGIN}, {learning.SLOWER_MAX}, {learning.SETTLED_RATIO}
local SLOWEST = {learning.SLOWEST_FACTOR}
local STEP_UNSURE, STEP_LIKELY, STEP_SETTLED = {learning.STEP_UNSURE}, {learning.STEP_LIKELY}, {learning.STEP_SETTLED}
local SURE_RATIO, ECHO_SHARE = {learning.SURE_RATIO}, {learning.ECHO_SHARE}
local GRANTED_MIN, GRANTED_SHARE = {learning.GRANTED_MIN}, {learning.GRANTED_SHARE}
local SUSPICION_WINDOWS = {learning.SUSPICION_WINDOWS}
local STEP_IDLE, IDLE_WINDOWS = {learning.STEP_IDLE}, {learning.IDLE_WINDOWS}
local STEP_MAX_AGAIN = {learning.STEP_MAX_AGAIN}
local STEP_MAX, STEP_GROWTH, TRIAL_WINDOWS = {learning.STEP_MAX}, {learning.STEP_GROWTH}, {learning.TRIAL_WINDOWS}
local PATIENCE_MIN, PATIENCE_FIRST = {learning.PATIENCE_MIN}, {learning.PATIENCE_FIRST}
local PATIENCE_MAX = {learning.PATIENCE_MAX}
local QUIET_PER_WINDOW, BUSY, QUIET_MIN = {learning.QUIET_PER_WINDOW}, {learning.BUSY}, {learning.QUIET_MIN}
local PER_STEP, FASTER = {limiter.SUCCESSES_PER_STEP}, {limiter.FASTER}
local ON_LIMIT, ON_ERROR = {limiter.SLOWER_ON_LIMIT}, {limiter.SLOWER_ON_ERROR}
local SLOWEST_LEARNED, SLOWEST_DEMAND = {limiter.SLOWEST_FACTOR_LEARNED}, {limiter.SLOWEST_FACTOR_DEMAND}
local SLOWEST_ERROR = {limiter.SLOWEST_FACTOR_ERROR}
"""
    """
local function is_settled() return p.bad > 0 and p.floor <= p.bad * SETTLED_RATIO end

local function withdraw()
  local newest = cell_of(now, window)
  for cell = newest, newest - PER_WINDOW + 1, -1 do
    local count = unpacked(cell, redis.call('HGET', KEYS[1], field(cell)))
    if count > 0 then
      redis.call('HSET', KEYS[1], field(cell), packed(cell, count - 1))
      return
    end
  end
end

local function started(back, cells)
  local newest = cell_of(now, window) - back
  local fields, sum, span = {}, 0, 0
  for cell = newest - cells + 1, newest do fields[#fields + 1] = field(cell) end
  for index, text in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
    local count = unpacked(newest - cells + index, text)
    if sum == 0 and count > 0 then span = cells - index + 1 end
    sum = sum + count
  end
  return sum, span
end

local function is_suspicion() return p.floor == 0 and now - p.quiet_from < window * SUSPICION_WINDOWS end
local function is_second() return p.quiet >= QUIET_MIN and is_suspicion() end
local function was_fault() return p.floor == 0 and p.quiet_from > 0 and p.quiet > 0 and now - p.quiet_from >= window end

local function is_few(granted, span)
  local span_us = span * math.max(1, math.floor(window / PER_WINDOW))
  local is_below = granted < GRANTED_MIN or granted * published * GRANTED_SHARE < window
  return is_below or granted * published < span_us * BUSY
end

local function forget()
  for _, name in ipairs({'floor', 'good', 'bad', 'step', 'patience', 'quiet_from', 'quiet'}) do p[name] = 0 end
end

local function first_lesson(floor, is_sure, step)
  p.bad = is_sure and math.floor(floor / SURE_RATIO) or 0
  p.floor, p.good, p.step, p.patience = floor, 0, step, PATIENCE_FIRST
end

local function still_refused(estimate)
  if now - p.quiet_from >= p.floor then
    p.floor = math.max(p.floor, math.min(estimate, p.floor * 2))
    if p.bad == 0 then p.bad = math.floor(p.floor / SURE_RATIO) end
  end
  p.quiet_from = now
end

local function failed_trial()
  if p.good <= p.floor * SETTLED_RATIO then
    p.patience = math.min(math.max(p.patience * 2, PATIENCE_FIRST), PATIENCE_MAX)
  end
  p.floor, p.good, p.bad, p.step = p.good, 0, p.floor, STEP_SETTLED
end

local function too_fast(estimate)
  local took = now - p.quiet_from
  local achieved = p.quiet >= QUIET_MIN and (took - took % p.quiet) / p.quiet or 0
  local slower = math.floor(math.min(math.max(p.floor * MARGIN, achieved), p.floor * SLOWER_MAX))
  local floor = math.min(math.max(slower, math.min(estimate, p.floor * 2)), published * SLOWEST)
  if estimate > 0 or p.bad > 0 then p.bad, p.step = p.floor, STEP_SETTLED end
  p.floor = floor
end

local function learn_from_limit(pause)
  local many, span = started(0, PER_WINDOW)
  if many < 1 then return end
  local is_full = started(PER_WINDOW, PER_WINDOW) * 2 >= many
  local estimate = math.min(math.floor(window * MARGIN / many), published * SLOWEST)
  if p.floor > 0 and p.good == 0 and p.quiet == 0 then return still_refused(estimate) end
  if p.floor == 0 and not is_second() and (is_full or is_few(many, span)) then
    local quiet = is_suspicion() and p.quiet or 0
    forget()
    p.quiet_from, p.quiet = now, quiet
    return
  end
  if p.floor > 0 and p.good == 0 and now - p.quiet_from < math.floor(window / ECHO_SHARE) then return end
  if p.floor == 0 then
    local is_sure = pause > math.max(2 * estimate, math.floor(window / ECHO_SHARE))
    local is_long = started(math.floor(PER_WINDOW / 4), math.floor(PER_WINDOW / 2)) > 0
    first_lesson(math.max(estimate, published), is_sure, is_long and STEP_LIKELY or STEP_UNSURE)
  elseif p.good > 0 then
    failed_trial()
  else
    too_fast(is_full and estimate or 0)
  end
  p.quiet_from, p.quiet = now, 0
end

local function learn_from_echo()
  local many = started(0, PER_WINDOW)
  local is_fresh = p.quiet == 0 and now - p.quiet_from <= math.floor(window / ECHO_SHARE)
  if many < 1 or p.floor == 0 or p.good > 0 or not is_fresh then return end
  if p.bad > 0 and started(PER_WINDOW, PER_WINDOW) * 2 < many then return end
  local estimate = math.min(math.floor(window * MARGIN / many), published * SLOWEST)
  p.floor = math.max(p.floor, math.min(estimate, p.floor * 2))
end

local function try_faster()
  local faster = math.floor(p.floor * 1000 / (1000 + p.step))
  if is_settled() then
    faster = math.floor(p.floor * 1000 / (1000 + STEP_SETTLED))
  elseif p.bad > 0 then
    faster = math.floor(math.sqrt(p.floor * p.bad))
  end
  p.good, p.floor, p.quiet_from, p.quiet = p.floor, math.max(faster, published), now, 0
end

local function learn_from_idle(quiet)
  local patience = math.max(IDLE_WINDOWS, is_settled() and p.patience or 0)
  if quiet < window * patience or started(0, PER_WINDOW) * p.floor >= window * BUSY then return end
  if p.floor <= published then return forget() end
  local faster = math.max(math.floor(p.floor * 1000 / (1000 + STEP_IDLE)), published)
  p.good, p.floor, p.quiet_from, p.quiet = p.floor, faster, now, 0
end

local function learn_from_successes(count)
  if p.floor == 0 and p.quiet_from == 0 then return end
  p.quiet = p.quiet + count
  if p.floor == 0 then
    if not is_suspicion() then forget() end
    return
  end
  local quiet = now - p.quiet_from
  if quiet < window * TRIAL_WINDOWS then return end
  if p.quiet * p.floor < quiet * BUSY then return learn_from_idle(quiet) end
  if p.good > 0 then
    if is_settled() then p.patience = math.max(math.floor(p.patience / 2), PATIENCE_MIN) end
    if p.bad >= p.floor then p.bad = 0 end
    p.good, p.step = 0, math.min(p.step * STEP_GROWTH, p.step > STEP_MAX_AGAIN and STEP_MAX or STEP_MAX_AGAIN)
  end
  if p.floor <= published then return end
  if is_settled() and (quiet < window * p.patience or p.quiet < p.patience * QUIET_PER_WINDOW) then return end
  try_faster()
end
"""
)

# ARGV interval_us, feedback, retry_after_us (-1: none), ttl_ms, window_us, successes, slowdowns (-1: not known)
ADAPT = (
    NOW
    + _CELLS
    + """
local published, window = number(ARGV[1]), number(ARGV[5])
local names = {'interval', 'successes', 'paused', 'slowdowns', 'floor', 'good', 'bad', 'step', 'patience', 'quiet_from', 'quiet'}
local override = number(redis.call('HGET', KEYS[1], 'override'))
local p, kept = {}, redis.call('HMGET', KEYS[1], unpack(names))
for index, name in ipairs(names) do p[name] = number(kept[index]) end
"""
    + _LEARN
    + """
local function slowest() return p.floor > 0 and p.floor * SLOWEST_LEARNED or published * SLOWEST end

local function justified(most, before)
  local demand = math.max((started(0, PER_WINDOW)), (started(PER_WINDOW, PER_WINDOW)))
  if demand == 0 or p.floor > 0 then return most end
  return math.min(most, math.max(before, math.floor(SLOWEST_DEMAND * window / demand)))
end

local function after_successes(count)
  local is_free = was_fault()
  learn_from_successes(count)
  p.interval = math.max(published, p.interval)
  for _ = 1, math.floor((p.successes + count) / PER_STEP) do
    p.interval = math.max(published, math.floor(p.interval * FASTER))
  end
  if p.floor > 0 or is_free then p.interval = math.max(published, math.floor(p.interval / 2)) end
  p.successes = (p.successes + count) % PER_STEP
end

local function after_limit(pause)
  withdraw()
  if pause >= 0 then p.paused = math.max(p.paused, now + pause) end
  if number(ARGV[7]) >= 0 and number(ARGV[7]) < p.slowdowns then return learn_from_echo() end
  local before = math.max(published, p.interval, p.floor, override)
  learn_from_limit(math.max(pause, 0))
  p.interval, p.successes, p.slowdowns = math.max(published, p.interval), 0, p.slowdowns + 1
  if pause >= 0 then return end
  p.interval = math.min(math.floor(before * ON_LIMIT), justified(slowest(), before))
end

local function after_error()
  local before = math.max(published, p.interval, p.floor, override)
  local most = justified(math.max(published, p.floor) * SLOWEST_ERROR, before)
  p.successes, p.interval = 0, math.max(before, math.min(math.floor(before * ON_ERROR), most))
end

if number(ARGV[6]) > 0 then after_successes(number(ARGV[6])) end
if ARGV[2] == 'rate_limit' then
  after_limit(number(ARGV[3]))
elseif ARGV[2] == 'error' then
  after_error()
end
local changes = {}
for _, name in ipairs(names) do
  changes[#changes + 1] = name
  changes[#changes + 1] = whole(p[name])
end
redis.call('HSET', KEYS[1], unpack(changes))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
)
