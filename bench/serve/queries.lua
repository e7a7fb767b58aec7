-- wrk's side of wrk.mjs: a query a request, each with a number of its own.
local texts = {}
for line in io.lines(os.getenv("TEXTS")) do
  texts[#texts + 1] = line
end
local number = tonumber(os.getenv("SEED"))
local headers = { ["content-type"] = "application/json" }
local body = '{"model":"bench","input":["%s %d"],"encoding_format":"' .. os.getenv("FORMAT") .. '"}'

function request()
  number = number + 1
  return wrk.format("POST", nil, headers, body:format(texts[number % #texts + 1], number))
end

function done(summary, latency)
  local failed = 0
  for _, count in pairs(summary.errors) do
    failed = failed + count
  end
  print(string.format(
    'FIGURES {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed
  ))
end
