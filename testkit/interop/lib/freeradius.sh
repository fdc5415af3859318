# FreeRADIUS in a namespace, on high ports of its loopback address. Sourced, not run.
FREERADIUS=${FREERADIUS:-/usr/sbin/freeradius}
RADIUS_PORT=18120
RADIUS_SECRET=testing123

radius_start() { # NETNS
  local dir=$STATE/radius
  rm -rf "$dir"; mkdir -p "$dir/raddb"
  sed -e "s#@RUN@#$dir#g; s#@PORT@#$RADIUS_PORT#g; s#@SECRET@#$RADIUS_SECRET#g" \
    "$INTEROP/peers/freeradius/radiusd.conf.in" >"$dir/raddb/radiusd.conf"
  cp "$INTEROP/peers/freeradius/users" "$dir/raddb/users"
  printf '$INCLUDE /usr/share/freeradius/dictionary\n' >"$dir/raddb/dictionary"
  chmod -R go-w "$dir"
  pid_start radius "$dir/stdout" ip netns exec "$1" "$FREERADIUS" -f -l "$dir/log" -d "$dir/raddb"
  wait_for 10 has "$dir/log" 'Ready to process' || { cat "$dir/stdout" "$dir/log" >&2; die 'FreeRADIUS did not start'; }
}
radius_log() { has "$STATE/radius/log" "$1" || { say "  FreeRADIUS's log lacks: $1"; return 1; }; }
