"""What must happen to a job at once, as Lua for Redis (6.2 or later).

Each script is given the keys of `redis_job_records.keys`, and the job's id
and the seconds that an ended job is remembered as its first arguments. Times
are Redis's own, in microseconds since 1970: of several replicas' clocks none
could be trusted to order jobs.
"""

from __future__ import annotations

_PRELUDE = """
local STREAM, RECORD, DOCUMENTS, LAST, OPEN = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LISTS = {queued = KEYS[6], running = KEYS[7], succeeded = KEYS[8], failed = KEYS[9],
               cancelled = KEYS[10]}
local JOB, REMEMBER = ARGV[1], tonumber(ARGV[2])
local GROUP = 'indexers'

local function now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end

local function become(state)
  local before = redis.call('HGET', RECORD, 'state')
  if before then redis.call('ZREM', LISTS[before], JOB) end
  redis.call('ZADD', LISTS[state], now(), JOB)
  redis.call('HSET', RECORD, 'state', state)
end

local function enqueue()
  local of = redis.call('HMGET', RECORD, 'tenant', 'collection')
  local entry = redis.call('XADD', STREAM, '*', 'job', JOB, 'tenant', of[1], 'collection', of[2])
  redis.call('HSET', RECORD, 'entry', entry)
end

local function leave(entry)
  redis.call('XACK', STREAM, GROUP, entry)
  redis.call('XDEL', STREAM, entry)
end

local function open_epoch()
  local epoch = redis.call('INCR', LAST)
  redis.call('ZADD', OPEN, epoch, JOB)
  redis.call('HSET', RECORD, 'epoch', epoch)
end

local function finish(state)
  become(state)
  redis.call('HSET', RECORD, 'finished_at', now())
  redis.call('ZREM', OPEN, JOB)
  redis.call('ZREMRANGEBYSCORE', LISTS[state], '-inf', now() - REMEMBER * 1000000)
  redis.call('EXPIRE', RECORD, REMEMBER)
  if state == 'failed' then  -- it may be tried again
    redis.call('EXPIRE', DOCUMENTS, REMEMBER)
  else
    redis.call('DEL', DOCUMENTS)
  end
end
"""

# In: most jobs, documents, total, kind, tenant, collection, fingerprint, seconds to know the
# request again, trace. The key of a repeated request is KEYS[11], if it has one. Out: 'full',
# 'other', or the id of the job. A second call for one job, after a lost reply, changes nothing.
SUBMIT = (
    _PRELUDE
    + """
if redis.call('EXISTS', RECORD) == 1 then return JOB end
if KEYS[11] then
  local known = redis.call('HMGET', KEYS[11], 'fingerprint', 'job')
  if known[1] then
    if known[1] == ARGV[9] then return known[2] end
    return 'other'
  end
end
if redis.call('XLEN', STREAM) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', RECORD, 'total', ARGV[5], 'done', 0, 'attempts', 0, 'errors', '[]',
           'created_at', now(), 'kind', ARGV[6], 'tenant', ARGV[7], 'collection', ARGV[8],
           'traceparent', ARGV[11])
redis.call('SET', DOCUMENTS, ARGV[4])
if KEYS[11] then
  redis.call('HSET', KEYS[11], 'fingerprint', ARGV[9], 'job', JOB)
  redis.call('EXPIRE', KEYS[11], ARGV[10])
end
become('queued')
open_epoch()
enqueue()
return JOB
"""
)

# In: entry, most attempts, what to say if the documents are gone, or the attempts. Out: {attempt,
# documents, kind, trace}; or why the job is given up; or nothing if it has ended already.
BEGIN = (
    _PRELUDE
    + """
local state = redis.call('HGET', RECORD, 'state')
local documents = redis.call('GET', DOCUMENTS)
if (state ~= 'queued' and state ~= 'running') or redis.call('HGET', RECORD, 'entry') ~= ARGV[3] then
  leave(ARGV[3])
  return false
end
local failure = not documents and ARGV[5]
if not failure and redis.call('HINCRBY', RECORD, 'attempts', 1) > tonumber(ARGV[4]) then
  failure = ARGV[6]
end
if failure then
  redis.call('HSET', RECORD, 'errors', cjson.encode({failure}))
  finish('failed')
  leave(ARGV[3])
  return failure
end
become('running')
redis.call('HSETNX', RECORD, 'started_at', now())
local record = redis.call('HMGET', RECORD, 'attempts', 'kind', 'traceparent')
return {record[1], documents, record[2], record[3]}
"""
)

# The start of what follows: entry, consumer; does nothing unless the consumer holds it.
_HELD = (
    _PRELUDE
    + """
local ENTRY = ARGV[3]
if #redis.call('XPENDING', STREAM, GROUP, ENTRY, ENTRY, 1, ARGV[4]) == 0 then return false end
"""
)

# In: ..., done, total. JUSTID leaves the count of deliveries alone.
RENEW = (
    _HELD
    + """
redis.call('XCLAIM', STREAM, GROUP, ARGV[4], 0, ENTRY, 'JUSTID')
redis.call('HSET', RECORD, 'done', ARGV[5], 'total', ARGV[6])
return 1
"""
)

# In: ..., errors.
FINISH = (
    _HELD
    + """
redis.call('HSET', RECORD, 'errors', ARGV[5], 'done', redis.call('HGET', RECORD, 'total'))
finish('succeeded')
leave(ENTRY)
return 1
"""
)

# In: .... A new entry is seen at once by whoever waits.
HAND_BACK = (
    _HELD
    + """
redis.call('HINCRBY', RECORD, 'attempts', -1)
become('queued')
enqueue()
leave(ENTRY)
return 1
"""
)

# In: ..., errors, most attempts. Out: the new state.
FAIL = (
    _HELD
    + """
redis.call('HSET', RECORD, 'errors', ARGV[5])
if tonumber(redis.call('HGET', RECORD, 'attempts')) >= tonumber(ARGV[6]) then
  finish('failed')
else
  become('queued')
  enqueue()
end
leave(ENTRY)
return redis.call('HGET', RECORD, 'state')
"""
)

# Out: the state that the job had; 'queued' or 'running' if it is cancelled by this call.
CANCEL = (
    _PRELUDE
    + """
local record = redis.call('HMGET', RECORD, 'state', 'entry')
if record[1] == 'queued' or record[1] == 'running' then
  finish('cancelled')
  leave(record[2])
end
return record[1]
"""
)

# In: most jobs. Out: 'full', or the state that the job had; 'failed' if it is queued again by this
# call.
RETRY = (
    _PRELUDE
    + """
local state = redis.call('HGET', RECORD, 'state')
if state ~= 'failed' then return state end
if redis.call('XLEN', STREAM) >= tonumber(ARGV[3]) then return 'full' end
redis.call('PERSIST', RECORD)
redis.call('PERSIST', DOCUMENTS)
redis.call('HSET', RECORD, 'attempts', 0, 'done', 0, 'errors', '[]')
redis.call('HDEL', RECORD, 'started_at', 'finished_at')
become('queued')
open_epoch()
enqueue()
return state
"""
)
