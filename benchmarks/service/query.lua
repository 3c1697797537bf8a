-- For wrk: POST questions, each a new one (MODE=new) or always the same (MODE=same).
--
-- Run it with one thread: each thread would have counters of its own, and send the same questions.
local path = os.getenv("ASK_PATH") or "/query"
local same = os.getenv("MODE") == "same"
local run = os.getenv("RUN") or "0"

local questions = {}
for line in io.lines(os.getenv("QUESTIONS")) do
  questions[#questions + 1] = line
end

local headers = { ["Content-Type"] = "application/json" }
local number = 0

-- Answers that are not 200, by status. Global, so that `done` can fetch it from the thread.
failed = {}

function request()
  if not same then
    number = number + 1
  end
  local question = questions[number % #questions + 1]
  -- Found in no run before, so no cache can have it.
  local body = same and question or question .. " (" .. run .. "-" .. number .. ")"
  return wrk.format("POST", path, headers, '{"question": "' .. body .. '", "top_k": 3}')
end

function response(status)
  if status ~= 200 then
    failed[status] = (failed[status] or 0) + 1
  end
end

local threads = {}
function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local counts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("failed")) do
      counts[status] = (counts[status] or 0) + count
    end
  end
  local parts = {}
  for status, count in pairs(counts) do
    parts[#parts + 1] = string.format('"%d": %d', status, count)
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "broken": %d, "statuses": {%s}}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, broken, table.concat(parts, ", ")))
end
