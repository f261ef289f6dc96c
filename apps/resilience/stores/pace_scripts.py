"""The Lua of the Redis store for limiters. Each script is the twin of pure functions in `limiter.py` and `learning.py`.

KEYS are the hash of one pace: its figures by name, and the cells of its trail as `c0` … `c191`, each holding its
number (modulo 2^32) times 2^20 plus the count. See `breaker_scripts.py` for times and numbers.
"""

from __future__ import annotations

from apps.resilience import learning, limiter
from apps.resilience.stores.breaker_scripts import NOW

_CELLS = f"""
local CELLS, PER_WINDOW = {learning.CELLS}, {learning.CELLS_PER_WINDOW}
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

# ARGV interval_us, tolerance_us, wait_us_max, ttl_ms, window_us, count -> taken, wait_us, interval_us, lead_us, slowdowns
RESERVE = (
    NOW
    + _CELLS
    + """
local kept = redis.call('HMGET', KEYS[1], 'arrival', 'interval', 'paused', 'floor', 'slowdowns')
local arrival, floor = number(kept[1]), number(kept[4])
local interval = math.max(number(ARGV[1]), number(kept[2]), floor)
local tolerance = floor > 0 and 0 or number(ARGV[2])
local start = math.max(now, arrival - tolerance, number(kept[3]))
arrival = math.max(arrival, start)
local wait, lead = start - now, start + tolerance - arrival
local room = number(ARGV[3]) - wait
if room < 0 then return {0, wait, interval, lead, number(kept[5])} end
local taken = math.min(number(ARGV[6]), math.floor((room + lead) / interval) + 1)
local changes = {'arrival', whole(arrival + taken * interval)}
local newest, last, count = cell_of(now, number(ARGV[5])), nil, 0
local function note()
  if not last or last - newest > PER_WINDOW then return end
  changes[#changes + 1] = field(last)
  changes[#changes + 1] = packed(last, unpacked(last, redis.call('HGET', KEYS[1], field(last))) + count)
end
for index = 0, taken - 1 do
  local cell = cell_of(start + math.max(0, index * interval - lead), number(ARGV[5]))
  if cell ~= last then
    note()
    last, count = cell, 0
  end
  count = count + 1
end
note()
redis.call('HSET', KEYS[1], unpack(changes))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {taken, wait, interval, lead, number(kept[5])}
"""
)

_LEARN = (
    f"""
local MARGIN, SETTLED_RATIO, SLOWEST = {learning.MARGIN}, {learning.SETTLED_RATIO}, {learning.SLOWEST_FACTOR}
local STEP_FIRST, STEP_UNSURE, STEP_SETTLED = {learning.STEP_FIRST}, {learning.STEP_UNSURE}, {learning.STEP_SETTLED}
local STEP_MAX, STEP_GROWTH, TRIAL_WINDOWS = {learning.STEP_MAX}, {learning.STEP_GROWTH}, {learning.TRIAL_WINDOWS}
local PATIENCE_FIRST, PATIENCE_MAX = {learning.PATIENCE_FIRST}, {learning.PATIENCE_MAX}
local SUCCESSES_SETTLED, BUSY = {learning.SUCCESSES_SETTLED}, {learning.BUSY}
local PER_STEP, FASTER = {limiter.SUCCESSES_PER_STEP}, {limiter.FASTER}
local ON_LIMIT, ON_ERROR = {limiter.SLOWER_ON_LIMIT}, {limiter.SLOWER_ON_ERROR}
local SLOWEST_LEARNED = {limiter.SLOWEST_FACTOR_LEARNED}
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

local function granted(windows_back)
  local newest = cell_of(now, window) - windows_back * PER_WINDOW
  local fields, sum = {}, 0
  for cell = newest - PER_WINDOW + 1, newest do fields[#fields + 1] = field(cell) end
  for index, text in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do
    sum = sum + unpacked(newest - PER_WINDOW + index, text)
  end
  return sum
end

local function first_lesson(estimate, is_full)
  p.floor = math.min(math.max(estimate, published), published * SLOWEST)
  p.good, p.patience = 0, PATIENCE_FIRST
  p.bad = is_full and math.floor(p.floor / MARGIN) or 0
  p.step = is_full and STEP_FIRST or STEP_UNSURE
end

local function failed_trial(estimate)
  p.bad = math.min(math.max(p.floor, math.floor(estimate / MARGIN)), p.good)
  if p.good <= p.bad * SETTLED_RATIO then p.patience = math.min(p.patience * 2, PATIENCE_MAX) end
  p.floor, p.good, p.step = p.good, 0, STEP_SETTLED
end

local function too_fast(estimate)
  local slower = math.max(math.floor(p.floor * MARGIN), math.min(estimate, p.floor * 2))
  p.floor = math.min(slower, published * SLOWEST)
  p.bad, p.step = math.floor(p.floor / MARGIN), STEP_SETTLED
end

local function learn_from_limit()
  if p.floor > 0 and p.quiet == 0 then
    p.quiet_from = now
    return
  end
  local many = granted(0)
  if many < 1 then return end
  local is_full = granted(1) * 2 >= many
  local estimate = math.floor(window * MARGIN / many)
  if p.floor == 0 then
    first_lesson(estimate, is_full)
  elseif p.good > 0 then
    failed_trial(estimate)
  else
    too_fast(is_full and estimate or 0)
  end
  p.quiet_from, p.quiet = now, 0
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

local function learn_from_successes(count)
  if p.floor == 0 then return end
  p.quiet = p.quiet + count
  local quiet = now - p.quiet_from
  if quiet < window * TRIAL_WINDOWS or p.quiet * p.floor < quiet * BUSY then return end
  if p.good > 0 then
    p.good, p.step = 0, math.min(p.step * STEP_GROWTH, STEP_MAX)
    if p.bad >= p.floor then p.bad = 0 end
  end
  if p.floor <= published then return end
  if is_settled() and (quiet < window * p.patience or p.quiet < SUCCESSES_SETTLED) then return end
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
local p, kept = {}, redis.call('HMGET', KEYS[1], unpack(names))
for index, name in ipairs(names) do p[name] = number(kept[index]) end
"""
    + _LEARN
    + """
local function slowest() return p.floor > 0 and p.floor * SLOWEST_LEARNED or published * SLOWEST end

local function after_successes(count)
  learn_from_successes(count)
  p.interval = math.max(published, p.interval)
  for _ = 1, math.floor((p.successes + count) / PER_STEP) do
    p.interval = math.max(published, math.floor(p.interval * FASTER))
  end
  if p.floor > 0 and now - p.quiet_from >= window then p.interval = published end
  p.successes = (p.successes + count) % PER_STEP
end

local function after_limit(pause)
  withdraw()
  if pause >= 0 then p.paused = math.max(p.paused, now + pause) end
  if number(ARGV[7]) >= 0 and number(ARGV[7]) < p.slowdowns then return end
  local before = math.max(published, p.interval, p.floor)
  learn_from_limit()
  p.interval, p.successes, p.slowdowns = math.max(published, p.interval), 0, p.slowdowns + 1
  if pause < 0 then p.interval = math.min(math.floor(before * ON_LIMIT), slowest()) end
end

if number(ARGV[6]) > 0 then after_successes(number(ARGV[6])) end
if ARGV[2] == 'rate_limit' then
  after_limit(number(ARGV[3]))
elseif ARGV[2] == 'error' then
  p.successes = 0
  p.interval = math.min(math.floor(math.max(published, p.interval, p.floor) * ON_ERROR), slowest())
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
