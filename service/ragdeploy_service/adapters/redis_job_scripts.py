"""What must happen to a job at once, as Lua for Redis (6.2 or later).

Keys, in this order: the stream of jobs, the job's record (a hash), its
documents. A record of an ended job expires; documents are deleted only when
the job has ended well, and kept as long as the record when it has failed.
"""

from __future__ import annotations

# Takes the entry out of the stream: group, entry.
_LEAVE = """
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
"""

# In: most jobs, job id, documents, total, time, tenant, collection. Out: 1, or 0 if the queue is
# full. A second call for one job, after a lost reply, changes nothing.
SUBMIT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], 'state', 'queued', 'total', ARGV[4], 'done', 0, 'attempts', 0,
           'errors', '[]', 'created_at', ARGV[5], 'tenant', ARGV[6], 'collection', ARGV[7])
redis.call('SET', KEYS[3], ARGV[3])
redis.call('XADD', KEYS[1], '*', 'job', ARGV[2])
return 1
"""

# In: group, entry, most attempts, time, seconds to remember. Out: {attempt, documents, tenant,
# collection}; or why the job is given up; or nothing if it has ended already.
BEGIN = (
    """
local documents = redis.call('GET', KEYS[3])
local state = redis.call('HGET', KEYS[2], 'state')
local failure
if state == 'queued' or state == 'running' then
  if not documents then
    failure = 'The documents of this job are lost; index them again.'
  elseif redis.call('HINCRBY', KEYS[2], 'attempts', 1) > tonumber(ARGV[3]) then
    failure = 'Every worker that began this job ended before it.'
  end
end
if documents and not failure and (state == 'queued' or state == 'running') then
  redis.call('HSET', KEYS[2], 'state', 'running')
  redis.call('HSETNX', KEYS[2], 'started_at', ARGV[4])
  local record = redis.call('HMGET', KEYS[2], 'attempts', 'tenant', 'collection')
  return {record[1], documents, record[2], record[3]}
end
if failure then
  redis.call('HSET', KEYS[2], 'state', 'failed', 'errors', cjson.encode({failure}),
             'finished_at', ARGV[4])
end
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
"""
    + _LEAVE
    + """
return failure or false
"""
)

# The start of what follows: group, entry, consumer; does nothing unless the consumer holds it.
_HELD = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3]) == 0 then
  return false
end
"""

# In: ..., done. JUSTID leaves the count of deliveries alone.
RENEW = (
    _HELD
    + """
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'JUSTID')
redis.call('HSET', KEYS[2], 'done', ARGV[4])
return 1
"""
)

# In: ..., errors, time, seconds to remember.
FINISH = (
    _HELD
    + """
redis.call('HSET', KEYS[2], 'state', 'succeeded', 'errors', ARGV[4], 'finished_at', ARGV[5],
           'done', redis.call('HGET', KEYS[2], 'total'))
redis.call('EXPIRE', KEYS[2], ARGV[6])
redis.call('DEL', KEYS[3])
"""
    + _LEAVE
    + "return 1"
)

# In: ..., job id, change of the count of attempts. A new entry is seen at once by whoever waits.
HAND_BACK = (
    _HELD
    + """
redis.call('HINCRBY', KEYS[2], 'attempts', ARGV[5])
redis.call('HSET', KEYS[2], 'state', 'queued')
redis.call('XADD', KEYS[1], '*', 'job', ARGV[4])
"""
    + _LEAVE
    + "return 1"
)

# In: ..., job id, errors, most attempts, time, seconds to remember. Out: the new state.
FAIL = (
    _HELD
    + """
redis.call('HSET', KEYS[2], 'errors', ARGV[5])
local state = 'queued'
if tonumber(redis.call('HGET', KEYS[2], 'attempts')) >= tonumber(ARGV[6]) then
  state = 'failed'
  redis.call('HSET', KEYS[2], 'finished_at', ARGV[7])
  redis.call('EXPIRE', KEYS[2], ARGV[8])
  redis.call('EXPIRE', KEYS[3], ARGV[8])
else
  redis.call('XADD', KEYS[1], '*', 'job', ARGV[4])
end
redis.call('HSET', KEYS[2], 'state', state)
"""
    + _LEAVE
    + "return state"
)
