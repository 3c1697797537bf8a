#!/bin/sh
# Runs beside a node that has started as the master, until that is certain; then it takes writes.
#
# A master that comes back may have been away long enough for the Sentinels to choose another, or
# have handed over when it was cut off. They tell each other every two seconds, and the old master
# up to half a minute later. What it took until then, confirmed by a replica that was not told
# either, would be lost.
set -u
# shellcheck source-path=SCRIPTDIR source=find-master.sh
. "$(dirname "$0")/find-master.sh"

# Tells Redis something until it is done: it may still be reading its data.
redis() {
  until [ "$(redis-cli -h "${BIND:-127.0.0.1}" -p "$REDIS_PORT" "$@" 2>/dev/null)" = OK ]; do
    sleep 1
    kill -0 "$PPID" 2>/dev/null || exit 0
  done
}

# Whether most Sentinels know a master, and none that can be reached has lost sight of it.
are_calm() {
  calm=0
  for node in $NODES; do
    flags=$(timeout 2 redis-cli -h "$node" -p "$SENTINEL_PORT" \
      sentinel master "$MASTER" 2>/dev/null | sed -n '/^flags$/{n;p;}')
    case $flags in
      master) calm=$((calm + 1)) ;;
      master,*) return 1 ;; # it is down, or another is being chosen
    esac
  done
  [ "$calm" -ge 2 ]
}

seconds=0
while [ "$seconds" -lt 3 ]; do
  sleep 1
  kill -0 "$PPID" 2>/dev/null || exit 0 # Redis is gone
  master=$(ask_sentinels)
  if [ -n "$master" ] && [ "$master" != "$ME" ]; then
    redis replicaof "$master" "$REDIS_PORT"
    break
  fi
  if are_calm; then seconds=$((seconds + 1)); else seconds=0; fi
done

usual=$(sed -n 's/^min-replicas-to-write //p' "$(dirname "$0")/redis.conf")
redis config set min-replicas-to-write "$usual"
