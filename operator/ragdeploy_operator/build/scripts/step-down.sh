#!/bin/sh
# Before this node stops: if it is the master, let another be it, so that nobody waits until the
# Sentinels have noticed. Given up after ten seconds, as when all nodes stop.
HERE=${BIND:-127.0.0.1}
redis() { redis-cli -h "$HERE" -p "$REDIS_PORT" "$@" >/dev/null; }
sentinel() { redis-cli -h "$HERE" -p "$SENTINEL_PORT" sentinel "$@"; }
master() { sentinel get-master-addr-by-name "$MASTER" | head -n 1; }

[ "$(master)" = "$ME" ] || exit 0

# Sentinels do not stop the writes before they hand over: some would still be confirmed by the
# other replica, which then throws them away. So writes wait here, until both replicas have all.
redis client pause 5000 write
sleep 1
for _ in 1 2 3 4 5 6 7 8 9 10; do
  redis client pause 5000 write
  sentinel failover "$MASTER" >/dev/null # an error while one is under way
  sleep 1
  now=$(master)
  [ "$now" = "$ME" ] || break
done

# Sentinels take seconds to tell the old master of the new one, and that long both would take writes.
if [ -n "$now" ] && [ "$now" != "$ME" ]; then
  redis replicaof "$now" "$REDIS_PORT"
  redis client kill type normal # who waits asks the Sentinels anew
fi
redis client unpause 2>/dev/null
exit 0
