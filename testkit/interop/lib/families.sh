# IPv4 and IPv6 outside and inside, in one scenario: strongSwan stays, our end comes again for each way. Sourced,
# not run.
each_way() { # OUTER/INNER...: as the variables of these names
  rm -rf "$STATE/keys"; mkdir -p "$STATE/keys"
  capture_start || return 1
  local way
  for way in "$@"; do
    OUTER=${way%/*} INNER=${way#*/}
    way_once || { say "  with IPv$OUTER outside, IPv$INNER inside"; return 1; }
    keep_keys
  done
  capture_stop
  [ -n "$REFERENCE" ] || tshark_reads_all "$STATE/keys"
}
way_once() {
  if [ "$OURS" = gateway ]; then swan_client again; swan cl --load-conns >"$STATE/cl/load" 2>&1 || return 1; fi
  scenario_connect && way_outside && each_family "$INNER" && iperf_both_ways && scenario_delete
}
# Where strongSwan sees us.
way_outside() {
  local us; case $OURS$OUTER in client4) us=$IP_CL ;; client6) us=$IP6_CL ;; gateway4) us=$IP_GW ;; gateway6) us=$IP6_GW ;; esac
  swan_sas $SWAN_SIDE | grep -qF "@ $us[" || { say "  strongSwan does not see us at $us"; return 1; }
}
each_family() { # FAMILIES
  local INNER
  for INNER in ${1/46/4 6}; do
    ping_both_ways && ping_sizes || return 1
  done
}
