#!/bin/sh
# Before this node stops: if it is the master, let another be it, so that nobody waits until the
# Sentinels have noticed. Given up after ten seconds, as when all nodes stop.
HERE=${BIND:-127.0.0.1}
redis() { redis-cli -h "$HERE" -p "$REDIS_PORT" "$@" >/dev/null; }
sentinel() { redis-cli -h "$HERE" -p "$SENTINEL_PORT" sentinel "$@"; }

now=$ME
for round in 1 2 3 4 5 6 7 8 9 10; do
  now=$(sentinel get-master-addr-by-name "$MASTER" | head -n 1)
  [ "$now" = "$ME" ] || break
  # Sentinels do not stop the writes before they hand over: some would still be confirmed by the
  # other replica, which then throws them away. So writes wait here, until both replicas have all.
  redis client pause 5000 write
  sleep 1
  sentinel failover "$MASTER" >/dev/null # an error while one is under way
done
[ "$round" != 1 ] || exit 0 # it was not the master

# Sentinels take seconds to tell the old master of the new one, and that long both would take writes.
if [ -n "$now" ] && [ "$now" != "$ME" ]; then
  redis replicaof "$now" "$REDIS_PORT"
  redis client kill type normal # who waits asks the Sentinels anew
fi
redis client unpause 2>/dev/null
exit 0
