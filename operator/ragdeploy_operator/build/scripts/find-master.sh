#!/bin/sh
# Sourced by the others. Tells which of NODES is the master.

# As the Sentinels that can be reached know it: one that another node was made the master knows more
# than one that this node still is. Nothing where none can be reached.
ask_sentinels() {
  mine=
  for node in $NODES; do
    told=$(timeout 2 redis-cli -h "$node" -p "$SENTINEL_PORT" \
      sentinel get-master-addr-by-name "$MASTER" 2>/dev/null | head -n 1)
    case $told in
      "" | *" "*) ;; # knows none, or an error such as LOADING ...
      "$ME") mine=$ME ;;
      *) echo "$told" && return ;;
    esac
  done
  [ -z "$mine" ] || echo "$mine"
}

# Where none can be reached: as the Sentinel on this volume knew it last, for when all nodes start at
# the same time; before that the first node.
guess() {
  found=$(sed -n "s/^sentinel monitor $MASTER \([^ ]*\) .*/\1/p" "$DATA/sentinel.conf" 2>/dev/null | tail -n 1)
  echo "${found:-${NODES%% *}}"
}

find_master() {
  found=$(ask_sentinels)
  echo "${found:-$(guess)}"
}
