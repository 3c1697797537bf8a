#!/bin/sh
# Ready is a master, and a replica that is in touch with it; while data is read, Redis is neither.
HERE=${BIND:-127.0.0.1}
[ "$(redis-cli -h "$HERE" -p "$REDIS_PORT" ping)" = PONG ] || exit 1
redis-cli -h "$HERE" -p "$REDIS_PORT" info replication | grep -Eq '^(role:master|master_link_status:up)'
