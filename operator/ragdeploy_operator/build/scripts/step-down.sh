#!/bin/sh
# Before this node stops: if it is the master, let another be it, so that nobody waits until the
# Sentinels have noticed. Given up after ten seconds, as when all nodes stop.
HERE=${BIND:-127.0.0.1}
redis() { redis-cli -h "$HERE" -p "$REDIS_PORT" "$@" >/dev/null; }
sentinel() { redis-cli -h "$HERE" -p "$SENTINEL_PORT" sentinel "$@"; }

for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ "$(sentinel get-master-addr-by-name "$MASTER" | head -n 1)" = "$ME" ] || break
  # Sentinels do not stop the writes before they hand over: some would still be confirmed by the
  # other replica, which then throws them away. So writes wait here, until both replicas have all.
  redis client pause 3000 write
  sleep 1
  sentinel failover "$MASTER" >/dev/null # an error while one is under way
done
redis client unpause 2>/dev/null
exit 0
