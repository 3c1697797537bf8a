#!/bin/sh
# Starts Redis as the master, or as a replica of it.
set -eu
# shellcheck source-path=SCRIPTDIR source=find-master.sh
. "$(dirname "$0")/find-master.sh"

# A master that has lost its volume must not come back as an empty one, or its replicas would throw
# away what they have. It waits until the Sentinels have made one of them the master.
while [ ! -d "$DATA/appendonlydir" ] && [ "$(ask_sentinels)" = "$ME" ]; do
  echo "this node has no data and is still called the master; waiting for another one"
  sleep 1
done

# A hand-over may have ended with this node in the middle: then another is the master already, and
# not every Sentinel knows. They tell each other every two seconds. Were this one the master again
# meanwhile, it would take writes from clients that are connected to it until it is made a replica,
# which takes Sentinels up to half a minute, and all of them would be lost.
for pause in 1 1 1 0; do
  master=$(ask_sentinels)
  [ "$master" = "$ME" ] || break
  sleep "$pause"
done

master=${master:-$(guess)}
set -- "$(dirname "$0")/redis.conf" --replica-announce-ip "$ME"
[ "$master" = "$ME" ] || set -- "$@" --replicaof "$master $REDIS_PORT"
exec redis-server "$@"
