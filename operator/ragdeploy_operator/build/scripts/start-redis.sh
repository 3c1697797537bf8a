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

master=$(find_master)
set -- "$(dirname "$0")/redis.conf" --replica-announce-ip "$ME"
if [ "$master" = "$ME" ]; then
  set -- "$@" --min-replicas-to-write 3 # there are two: it takes no writes yet
  sh "$(dirname "$0")/take-writes.sh" &
else
  set -- "$@" --replicaof "$master $REDIS_PORT"
fi
exec redis-server "$@"
