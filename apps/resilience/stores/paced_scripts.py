"""The Lua of the paced queue: the twin of `paced_memory.py`. It takes slots as the limiter does, of the same pace.

KEYS 1 pace, 2 breaker, 3 items (id to body), 4 seats (id to "score weight tenant"), 5 turns (tenant to "begins weight"),
6 rested, 7 flying (id, end of its lease), 8 book (the pace that is published, the time in shares, a running number),
9 due (of all sources: when each is to be looked at). ARGV 1 the source, 2 what the keys of its lines begin with, one
line for each tenant. `due` and the lines are not under the source's hash tag or not among the keys, so this part of
the kit needs one server (with replicas and Sentinels, if one likes), not a cluster.

A seat's score is a running number less 2^40 for each step of priority: the smallest is served first.
"""

from __future__ import annotations

from apps.resilience import paced, paced_turns
from apps.resilience.stores.breaker_scripts import NOW
from apps.resilience.stores.slot_scripts import TAKE
from apps.resilience.windows import MICROSECONDS

_SEATS = f"""
local WHOLE, LOOK, STEP = {paced_turns.WHOLE}, {int(paced.LOOK_S * MICROSECONDS)}, 1099511627776
local time = number(redis.call('HGET', KEYS[8], 'time'))

local function join(tenant, weight)
  local turn = redis.call('HGET', KEYS[5], tenant)
  local begins = turn and string.match(turn, '^%d+')
  if not turn then
    begins = whole(math.max(time, number(redis.call('ZSCORE', KEYS[6], tenant))))
    redis.call('ZREM', KEYS[6], tenant)
  end
  redis.call('HSET', KEYS[5], tenant, begins .. ' ' .. weight)
end

local function sit(id, score, weight, tenant)
  redis.call('ZADD', ARGV[2] .. tenant, score, id)
  join(tenant, weight)
end

local function leave(tenant, begins)
  redis.call('HDEL', KEYS[5], tenant)
  redis.call('ZADD', KEYS[6], whole(begins), tenant)
end

local function look_at(moment) redis.call('ZADD', KEYS[9], whole(math.min(moment, now + LOOK)), ARGV[1]) end
"""

# Puts what was lost in flight back to the front of its tenant. Nobody but a forger leaves anything without a seat.
_RECLAIM = f"""
local lost = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', whole(now), 'LIMIT', 0, {paced.ITEMS_AT_ONCE})
for _, id in ipairs(lost) do
  redis.call('ZREM', KEYS[7], id)
  local score, weight, tenant = string.match(redis.call('HGET', KEYS[4], id) or '', '^(%S+) (%d+) (.*)$')
  if tenant then sit(id, score, weight, tenant) else redis.call('HDEL', KEYS[3], id) end
end
"""

# Whose turn it is: `give` gives the next slot, in memory; `leave_turns` is for a tenant that has nothing left.
_TURNS = """
local turns, sum, flat = {}, 0, redis.call('HGETALL', KEYS[5])
for index = 1, #flat, 2 do
  local begins, weight = string.match(flat[index + 1], '^(%d+) (%d+)$')
  turns[flat[index]] = {begins = number(begins), weight = number(weight), step = math.floor(WHOLE / number(weight))}
  sum = sum + number(weight)
end

local function give()
  local first, chosen, due = math.huge, nil, nil
  for _, turn in pairs(turns) do first = math.min(first, turn.begins) end
  time = math.max(time, first)
  for tenant, turn in pairs(turns) do
    local by = turn.begins + turn.step
    if turn.begins <= time and (not due or by < due or by == due and tenant < chosen) then chosen, due = tenant, by end
  end
  turns[chosen].begins, turns[chosen].is_moved = due, true
  time = time + math.floor(WHOLE / sum)
  return chosen
end

local function leave_turns(tenant) sum, turns[tenant] = sum - turns[tenant].weight, nil end
"""

# Takes the slots that are free now, none while the breaker is open, and sets `free`: when the next one is.
_TAKE_NOW = f"""
local shut = redis.call('HMGET', KEYS[2], 'phase', 'until')
local opens = shut[1] == 'open' and number(shut[2]) or 0
local most = opens > now and -1 or 0
{TAKE}
local free = math.max(opens, start + (taken > 0 and math.max(0, taken * interval - lead) or 0))
"""

# ARGV 3 ttl_ms, 4 interval_us, 5 tolerance_us, 6 window_us, 7 how many items, then of each: id, priority, weight, tenant, body
# -> now, interval, slowdowns, wait until the next slot, how many wait, then of each: 1 it goes, 0 it waits, 2 it waited before
OFFER = f"""
{NOW}
{_SEATS}
local key, ttl = KEYS[1], ARGV[3]
local published, tolerance, window = number(ARGV[4]), number(ARGV[5]), number(ARGV[6])
local is_free = redis.call('HLEN', KEYS[5]) == 0
local count, wanted, fates = number(ARGV[7]), 0, {{}}
local seen = {{}}
for index = 1, count do
  local id = ARGV[3 + index * 5]
  local is_here = seen[id] or redis.call('HEXISTS', KEYS[3], id) == 1
  fates[index], seen[id] = is_here and 2 or 0, true
  if is_free and not is_here then wanted = wanted + 1 end
end
redis.call('HSET', KEYS[8], 'published', ARGV[4], 'tolerance', ARGV[5], 'window', ARGV[6])
{_TAKE_NOW}
local left, is_joined = taken, false
for index = 1, count do
  local at = 3 + index * 5
  if fates[index] == 0 and left > 0 then
    fates[index], left = 1, left - 1
  elseif fates[index] == 0 then
    local id, priority, weight, tenant = ARGV[at], number(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3]
    local score = whole(redis.call('HINCRBY', KEYS[8], 'number', 1) - priority * STEP)
    redis.call('HSET', KEYS[3], id, ARGV[at + 4])
    redis.call('HSET', KEYS[4], id, score .. ' ' .. weight .. ' ' .. tenant)
    sit(id, score, weight, tenant)
    is_joined = true
  end
end
if is_free and is_joined then look_at(free) end
local waiting = redis.call('HLEN', KEYS[3]) - redis.call('ZCARD', KEYS[7])
return {{now, interval, slowdowns, free - now, waiting, unpack(fates)}}
"""

# ARGV 3 ttl_ms, 4 limit, 5 lease_us
# -> now, interval, slowdowns, wait until it is to be looked at again (-1: never), how many came back, then id, tenant, body
POP = f"""
{NOW}
{_SEATS}
{_RECLAIM}
local book = redis.call('HMGET', KEYS[8], 'published', 'tolerance', 'window')
local key, ttl = KEYS[1], ARGV[3]
local published, tolerance, window = number(book[1]), number(book[2]), number(book[3])
local wanted = math.min(number(ARGV[4]), redis.call('HLEN', KEYS[3]) - redis.call('ZCARD', KEYS[7]))
{_TAKE_NOW}
{_TURNS}
local answer = {{now, interval, slowdowns, -1, #lost}}
for _ = 1, next(turns) and taken or 0 do
  local tenant = give()
  local id = redis.call('ZPOPMIN', ARGV[2] .. tenant)[1]
  redis.call('ZADD', KEYS[7], whole(now + number(ARGV[5])), id)
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = id, tenant, redis.call('HGET', KEYS[3], id)
  if redis.call('EXISTS', ARGV[2] .. tenant) == 0 then
    leave(tenant, turns[tenant].begins)
    leave_turns(tenant)
    if not next(turns) then break end
  end
end
for tenant, turn in pairs(turns) do
  if turn.is_moved then redis.call('HSET', KEYS[5], tenant, whole(turn.begins) .. ' ' .. whole(turn.weight)) end
end
if taken > 0 then
  redis.call('HSET', KEYS[8], 'time', whole(time))
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', whole(time))
end
local again = next(turns) and math.min(free, now + LOOK)
if not again then
  local first = redis.call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
  again = first[2] and number(first[2])
end
if again then
  answer[4] = math.max(0, again - now)
  redis.call('ZADD', KEYS[9], whole(again), ARGV[1])
else
  redis.call('ZREM', KEYS[9], ARGV[1])
end
return answer
"""

# ARGV 3 … ids -> how many were still in flight. What was put back meanwhile stays: it will be carried again.
LANDED = """
local landed = 0
for index = 3, #ARGV do
  if redis.call('ZREM', KEYS[7], ARGV[index]) == 1 then
    redis.call('HDEL', KEYS[3], ARGV[index])
    redis.call('HDEL', KEYS[4], ARGV[index])
    landed = landed + 1
  end
end
return landed
"""

# ARGV 3 … tenant, weight, and so on -> how many of those that wait had another weight
WEIGH = """
local weighed = 0
for index = 3, #ARGV, 2 do
  local turn = redis.call('HGET', KEYS[5], ARGV[index]) or ''
  local begins, weight = string.match(turn, '^(%d+) (%d+)$')
  if begins and weight ~= ARGV[index + 1] then
    redis.call('HSET', KEYS[5], ARGV[index], begins .. ' ' .. ARGV[index + 1])
    weighed = weighed + 1
  end
end
return weighed
"""

# ARGV 3 limit -> how many came back, then id and body of what comes next, in its order
PEEK = f"""
{NOW}
{_SEATS}
{_RECLAIM}
{_TURNS}
local answer, places = {{#lost}}, {{}}
local waiting = redis.call('HLEN', KEYS[3]) - redis.call('ZCARD', KEYS[7])
for _ = 1, next(turns) and math.min(number(ARGV[3]), waiting) or 0 do
  local tenant = give()
  local place = places[tenant] or 0
  local id = redis.call('ZRANGE', ARGV[2] .. tenant, place, place)[1]
  places[tenant] = place + 1
  answer[#answer + 1], answer[#answer + 2] = id, redis.call('HGET', KEYS[3], id)
  if place + 1 >= redis.call('ZCARD', ARGV[2] .. tenant) then
    leave_turns(tenant)
    if not next(turns) then break end
  end
end
return answer
"""

# ARGV 3 … id, the id of its heir ('' when it has none), the heir's body, and so on -> the ids that waited and are gone
PASS_ON = f"""
{NOW}
{_SEATS}
local function line_of(id, tenant)
  if tenant and redis.call('ZSCORE', ARGV[2] .. tenant, id) then return tenant end
  for _, other in ipairs(redis.call('HKEYS', KEYS[5])) do
    if redis.call('ZSCORE', ARGV[2] .. other, id) then return other end
  end
end

local gone = {{}}
for index = 3, #ARGV, 3 do
  local id, heir, body = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  local seat = redis.call('HGET', KEYS[4], id) or ''
  local score, tenant = string.match(seat, '^(%S+) %d+ (.*)$')
  tenant = line_of(id, tenant)
  if tenant then
    local line = ARGV[2] .. tenant
    redis.call('ZREM', line, id)
    redis.call('HDEL', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
    heir = score and heir or ''
    local own = heir ~= '' and redis.call('HGET', KEYS[4], heir)
    if heir ~= '' and not own then
      redis.call('HSET', KEYS[3], heir, body)
      redis.call('HSET', KEYS[4], heir, seat)
      redis.call('ZADD', line, score, heir)
    elseif own and redis.call('ZSCORE', line, heir) and number(score) < number(string.match(own, '^%S+')) then
      redis.call('HSET', KEYS[4], heir, (string.gsub(own, '^%S+', score)))
      redis.call('ZADD', line, score, heir)
    end
    if redis.call('EXISTS', line) == 0 then
      leave(tenant, number(string.match(redis.call('HGET', KEYS[5], tenant), '^%d+')))
    end
    gone[#gone + 1] = id
  end
end
return gone
"""

# KEYS 1 due -> wait until the first is due (0: some are, -1: nothing waits), then the sources that are
DUE = (
    NOW
    + """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now))
if #due > 0 then return {0, unpack(due)} end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {first[2] and number(first[2]) - now or -1}
"""
)

# KEYS as above; ARGV 1 source, 2 line -> tenant, how many wait, and so on
WAITING = """
local lines = {}
for _, tenant in ipairs(redis.call('HKEYS', KEYS[5])) do
  lines[#lines + 1], lines[#lines + 2] = tenant, redis.call('ZCARD', ARGV[2] .. tenant)
end
return lines
"""
