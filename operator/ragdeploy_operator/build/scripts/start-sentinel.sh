#!/bin/sh
# Starts the Sentinel of this node. It writes into its configuration what it learns, so that file
# lies on the volume; who it is, and the number of the last election, are kept.
set -eu
umask 077
# shellcheck source-path=SCRIPTDIR source=find-master.sh
. "$(dirname "$0")/find-master.sh"

is_up() { timeout 2 redis-cli -h "$1" -p "$REDIS_PORT" ping >/dev/null 2>&1; }

# A new Sentinel says nothing about a master that was never there, or that master, which asks the
# Sentinels before it starts, would wait for them. The name must be known by then too.
leader=$(find_master)
until [ -e "$DATA/sentinel.conf" ] || is_up "$leader"; do
  sleep 1
  leader=$(find_master)
done
until getent ahosts "$leader" >/dev/null; do sleep 1; done

kept=$(grep -E '^sentinel (myid|current-epoch) ' "$DATA/sentinel.conf" 2>/dev/null || true)
cat >"$DATA/sentinel.conf.new" <<CONFIG
bind ${BIND:-* -::*}
port $SENTINEL_PORT
dir $DATA
requirepass $REDISCLI_AUTH
sentinel sentinel-pass $REDISCLI_AUTH
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $ME
sentinel announce-port $SENTINEL_PORT
sentinel monitor $MASTER $leader $REDIS_PORT 2
sentinel auth-pass $MASTER $REDISCLI_AUTH
sentinel down-after-milliseconds $MASTER 5000
sentinel failover-timeout $MASTER 30000
$kept
CONFIG
mv "$DATA/sentinel.conf.new" "$DATA/sentinel.conf"
exec redis-server "$DATA/sentinel.conf" --sentinel
