# What a scenario is made of: its variables, and the steps that all of them share. Sourced, not run.
PSK='correct horse battery staple'
PASSWORD=wonderland

scenario_load() { # NAME: sets the variables of scenarios/NAME.sh over these
  TITLE=''
  OURS=client              # client | gateway: which end is ours
  PEER=strongswan          # strongswan | guest: strongSwan over its own ESP, or over the guest kernel's
  AUTH=psk                 # psk | cert | eap: how the client proves who it is
  GW_CERT=gw-p256 CL_CERT=p256
  RADIUS=''                # anything: our gateway asks FreeRADIUS
  NET=''                   # nat: an address translator stands between
  OUTER=4 INNER=4          # 4 | 6, and 46 for both inside: the IP version between the ends, and inside of the tunnel
  IKE=aes128gcm16-prfsha256-x25519 ESP=aes128gcm16-x25519
  OUR_IKE='' OUR_ESP=''    # the same as IKE and ESP, unless set
  OUR_OPTIONS=''           # lines for [ike] in our configuration
  OUR_PASSWORD=$PASSWORD SWAN_PASSWORD=$PASSWORD SWAN_PSK=$PSK
  SWAN_CHARON='' SWAN_CONNECTION='' SWAN_CHILD=''
  DELETE_BY=us             # us | peer: who ends it
  TSHARK=''                # anything: Wireshark must be able to read all that was sent, with our key log
  OURS_ONLY=''             # anything: strongSwan's userland ESP could not do it in our place
  REFUSED=''               # anything: the peers must not come together
  prepare() { :; }         # after the peer runs, before they connect
  check() { :; }           # after pings both ways
  steps() { by_ike; }      # what happens; a scenario without IKE has steps of its own
  source "$INTEROP/scenarios/$1.sh"
  : "${OUR_IKE:=$IKE}" "${OUR_ESP:=$ESP}"
  case $OURS in
    client) OUR_NS=$NS_CL SWAN_SIDE=gw SWAN_NS=$NS_GW OUR_SIDE=cl ;;
    gateway) OUR_NS=$NS_GW SWAN_SIDE=cl SWAN_NS=$NS_CL OUR_SIDE=gw ;;
  esac
}

scenario_run() { steps; }

by_ike() {
  scenario_up && scenario_connect || return 1
  [ -z "$REFUSED" ] || { check; return; }
  ping_both_ways && check && scenario_delete || return 1
  [ -z "$TSHARK" ] || [ -n "$REFERENCE" ] || { capture_stop; tshark_reads_all "$STATE/ours/keys"; }
}

scenario_up() {
  if [ "$PEER" = guest ]; then
    swan_gateway && guest_up gateway
  else
    net_up $NET
    if [ -n "$RADIUS" ]; then radius_start "$NS_GW"; fi
    if [ "$OURS" = client ]; then swan_gateway; else swan_client; fi
    swan_start "$SWAN_SIDE" "$SWAN_NS"
  fi
  if [ "$AUTH" != psk ]; then
    pid_start http "$STATE/http.log" ip netns exec "$OUR_NS" \
      python3 -m http.server 8880 --bind 127.0.0.1 --directory "$PKI"
    wait_for 5 ip netns exec "$OUR_NS" bash -c ': </dev/tcp/127.0.0.1/8880' 2>/dev/null
  fi
  [ -z "${CAPTURE:-}$TSHARK" ] || capture_start || return 1
  prepare
}

# Brings them together, or, where they must not come together, gives them the time to.
scenario_connect() {
  if [ "$OURS" = gateway ]; then
    our_start gateway || return 1
    swan cl --initiate --child net --timeout 20 >"$STATE/initiate.log" 2>&1
  else
    our_start client
  fi
  if [ -n "$REFUSED" ]; then
    wait_for 10 refused || { say '  not refused'; return 1; }
    not connected || { say '  connected, and should not have'; return 1; }
  else
    wait_for 20 connected || { say '  not connected'; return 1; }
  fi
}
connected() {
  case $PEER in
    guest) has "$GUEST/console" 'INSTALLED' ;;
    *) swan_established $SWAN_SIDE && [ "$(swan_children $SWAN_SIDE)" = 1 ] ;;
  esac && [ -n "$(client_address)" ]
}
refused() {
  if [ "$OURS" = client ] && [ -z "$REFERENCE" ]; then not pid_alive ours; else has "$STATE/initiate.log" failed; fi
}

our_start() {
  if [ -n "$REFERENCE" ]; then
    local SWAN_CHARON=$REFERENCE_CHARON SWAN_PASSWORD=$OUR_PASSWORD SWAN_PSK=$PSK
    if [ "$1" = client ]; then swan_client; else swan_gateway; fi
    swan_start $OUR_SIDE "$OUR_NS"
    [ "$1" = gateway ] || swan cl --initiate --child net --timeout 20 >"$STATE/initiate.log" 2>&1
  else
    adit_start "$1" "$OUR_NS"
    [ "$1" = client ] || wait_for 10 our_gateway_ready || { say '  our gateway did not start'; return 1; }
  fi
}
REFERENCE_CHARON=''
our_gateway_ready() { in_gw ss -Hlun "sport = :4500" | grep -q . && in_gw ip link show adit0 >/dev/null 2>&1; }

# What is for the families in FAMILIES (4, 6 or 46), in a list of configuration files.
by_family() { # FAMILIES FOR-4 FOR-6
  case $1 in 4) echo "$2" ;; 6) echo "$3" ;; *) echo "$2, $3" ;; esac
}
outer_families() { [ -n "$NET" ] && echo 4 || echo 46; }
gateway_address() { by_family $OUTER $IP_GW $IP6_GW; }
# The host behind the gateway, and the virtual address as the client's own interfaces show it. With both families
# inside, those that INNER has at the time: see `each_family`.
protected_address() { by_family ${INNER: -1} $IP_PROTECTED $IP6_PROTECTED; }
client_address() {
  case $INNER in
    *6) in_cl ip -6 -o addr show 2>/dev/null | grep -oE 'fd99::[0-9a-f:]+' ;;
    *) in_cl ip -4 -o addr show 2>/dev/null | grep -oE '10\.99\.0\.[0-9]+' ;;
  esac | head -1
}

ping_both_ways() {
  local address; address=$(client_address)
  in_cl ping -c 3 -i 0.2 -W 2 -q -I "$address" $(protected_address) >"$STATE/ping.log" 2>&1 ||
    { say '  no ping from client to gateway'; return 1; }
  if [ "$PEER" = guest ]; then
    wait_for 10 has "$GUEST/console" "GUEST-PING${INNER: -1}-OK" || { say '  no ping from gateway to client'; return 1; }
  else
    in_gw ping -c 3 -i 0.2 -W 2 -q -I $(protected_address) "$address" >>"$STATE/ping.log" 2>&1 ||
      { say '  no ping from gateway to client'; return 1; }
  fi
}

# Packets of every kind of length through the tunnel, the largest in fragments. One echo may be lost, and is asked for
# again.
ping_sizes() {
  local address size; address=$(client_address)
  for size in 0 1 15 16 17 255 1000 1371 1372 1373 4000 8900; do
    ping_size || ping_size || { say "  no answer to a ping of $size bytes"; return 1; }
  done
}
ping_size() { in_cl ping -c 1 -W 2 -q -s $size -I "$address" $(protected_address) >>"$STATE/ping.log" 2>&1; }

# Long packets make a router that carries 1300 bytes say so. What passes whole then is 1300 less 28 of IPv4 and UDP
# and 34 of AES-GCM's ESP, at an even multiple of four but for the two octets of the trailer.
path_learnt() { # cl|gw TO: from our end's side
  local from to=$2; if [ $1 = cl ]; then from=$(client_address); else from=$IP_PROTECTED; fi
  [ -z "$REFERENCE" ] || return 0
  long_ping() { "in_$1" ping -c 1 -W 0.3 -q -s 1372 -I "$from" "$to" >/dev/null 2>&1; has "$STATE/ours/log" 'packets of up to 1238 bytes pass whole'; }
  wait_for 5 long_ping $1 || { say '  nothing was learnt of the path'; return 1; }
  "in_$1" ping -c 2 -i 0.1 -W 2 -q -M do -s 1210 -I "$from" "$to" >>"$STATE/ping.log" 2>&1 || { say '  no answer to the longest ping'; return 1; }
  "in_$1" ping -c 2 -i 0.1 -W 2 -M do -s 1211 -I "$from" "$to" >"$STATE/long.log" 2>&1 && { say '  a ping that is too long was answered'; return 1; }
  has "$STATE/long.log" '(mtu = |mtu=)1238' || { say "  its sender was not told: $(cat "$STATE/long.log")"; return 1; }
}

# Through the tunnel both ways at once: four megabytes over TCP, then 200 datagrams over UDP, or what is said.
iperf_both_ways() { # [ARGUMENTS...]
  local address what; address=$(client_address)
  [ $# -gt 0 ] || set -- '-n 4M' '-u -b 20M -l 1000 -n 200K'
  pid_start iperf "$STATE/iperf_server.log" ip netns exec "$NS_GW" iperf3 --forceflush -s -B $(protected_address)
  wait_for 5 has "$STATE/iperf_server.log" 'Server listening' || { say '  no iperf3 server'; return 1; }
  for what in "$@"; do
    iperf_once "$address" $what || { sleep 1; iperf_once "$address" $what; } || { say "  iperf3 $what: $(tail -1 "$STATE/iperf.log")"; return 1; }
  done
  pid_stop iperf
}
iperf_once() { # ADDRESS ARGUMENT...
  local address=$1; shift
  in_cl timeout 20 iperf3 --bidir -c $(protected_address) -B "$address" "$@" >"$STATE/iperf.log" 2>&1
}

# Pings fifty times a second both ways, for longer than COMMAND runs. No packet may be lost: the count is
# fixed, since an interrupted ping counts the echo under way as lost.
ping_while() { # COMMAND...
  local address count=500 lost=0 a b; address=$(client_address)
  ip netns exec "$NS_CL" ping -c $count -i 0.02 -W 2 -q -I "$address" $(protected_address) >"$STATE/flow.cl" 2>&1 & a=$!
  ip netns exec "$NS_GW" ping -c $count -i 0.02 -W 2 -q -I $(protected_address) "$address" >"$STATE/flow.gw" 2>&1 & b=$!
  "$@"; local status=$?
  kill -0 $a $b 2>/dev/null || { say '  the pings ended before the rekeys'; status=1; }
  wait $a $b
  local file
  for file in "$STATE"/flow.{cl,gw}; do
    grep -q "^$count packets transmitted, $count received, 0% packet loss" "$file" ||
      { say "  $(tail -3 "$file" | head -2 | tr '\n' ' ')"; lost=1; }
  done
  [ $lost = 0 ] && return $status
}

scenario_delete() {
  if [ "$DELETE_BY" = peer ]; then
    swan $SWAN_SIDE --terminate --ike "$([ $SWAN_SIDE = gw ] && echo rw || echo home)" --timeout 10 >"$STATE/terminate.log" 2>&1 ||
      { say '  strongSwan could not delete the IKE_SA'; return 1; }
    # charon says "IKE_SA deleted" only when the answer to its DELETE came.
    wait_for 5 swan_log_has 'IKE_SA deleted' || { say '  no answer to the DELETE'; return 1; }
    if [ "$OURS" = client ] && [ -z "$REFERENCE" ]; then wait_for 10 not pid_alive ours || { say '  our client goes on'; return 1; }; fi
    [ "$OURS" = client ] || our_stop || return 1
  else
    our_stop || return 1
    wait_for 5 swan_log_has 'received DELETE for IKE_SA' || { say '  no DELETE arrived'; return 1; }
  fi
  wait_for 5 nothing_left || { say '  strongSwan still has an SA'; return 1; }
}
our_stop() {
  if [ -n "$REFERENCE" ]; then
    swan $OUR_SIDE --terminate --ike "$([ $OUR_SIDE = gw ] && echo rw || echo home)" >"$STATE/terminate.log" 2>&1
    pid_stop $OUR_SIDE
  else adit_stop; fi
}
swan_log_has() { has "$STATE/$SWAN_SIDE/log" "$1"; }
nothing_left() {
  case $PEER in
    guest) grep GUEST-SAS "$GUEST/console" | tail -1 | grep -q 'GUEST-SAS 0' ;;
    *) not swan_established $SWAN_SIDE ;;
  esac
}

scenario_logs() { # LINES
  local file
  for file in "$STATE"/ours/log "$STATE"/{gw,cl}/log "$STATE"/initiate.log; do
    [ -s "$file" ] && { echo "--- $file"; tail -n "$1" "$file"; }
  done
}
