# What everything here stands on: where state lies, processes, namespaces. Sourced, not run.
set -u
INTEROP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$(cd "$INTEROP/../.." && pwd)
# All state lies below this directory, which must have a short name: Unix sockets lie in it.
STATE=${ADIT_INTEROP_STATE:-${TMPDIR:-/tmp}/adit-interop}
PKI=$STATE/pki
NS_GW=${NS_GW:-aditgw} NS_CL=${NS_CL:-aditcl} NS_NAT=${NS_NAT:-aditnat}

# The plan of addresses; the gateway stands in NS_GW, the client in NS_CL.
IP_GW=10.77.0.1 IP_CL=10.77.0.2
IP_PROTECTED=10.88.0.1        # behind the gateway
POOL=10.99.0.0/24             # virtual addresses for clients
IP_DNS=10.88.0.53
IP6_GW=fd77::1 IP6_CL=fd77::2 IP6_PROTECTED=fd88::1 POOL6=fd99::/112

say() { printf '%s\n' "$*" >&2; }
die() { say "interop: $*"; exit 2; }

# --- processes: each is ended by the pid that was stored, never by its name ---
pid_start() { # NAME LOG COMMAND...
  local name=$1 log=$2; shift 2
  mkdir -p "$STATE/pids"
  setsid "$@" >"$log" 2>&1 </dev/null &
  echo $! >"$STATE/pids/$name"
}
pid_of() { cat "$STATE/pids/$1" 2>/dev/null; }
pid_alive() { [ -s "$STATE/pids/$1" ] && kill -0 "$(pid_of "$1")" 2>/dev/null; }
# Asks a process of this shell to end, as Ctrl-C does, and returns its exit status; 124 if it had to be killed.
pid_interrupt() { # NAME
  local pid status; pid=$(pid_of "$1")
  kill -INT "$pid" 2>/dev/null
  wait_for 15 not pid_alive "$1" || { kill -9 "$pid"; rm -f "$STATE/pids/$1"; return 124; }
  wait "$pid"; status=$?
  rm -f "$STATE/pids/$1"
  return $status
}
pid_stop() { # NAME...
  local name pid
  for name in "$@"; do
    pid=$(pid_of "$name"); [ -n "$pid" ] || continue
    kill "$pid" 2>/dev/null
    wait_for 5 not pid_alive "$name" || kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    rm -f "$STATE/pids/$name"
  done
}
pid_stop_all() {
  local file
  for file in "$STATE"/pids/*; do [ -e "$file" ] && pid_stop "$(basename "$file")"; done
  return 0
}

not() { ! "$@"; }
wait_for() { # SECONDS COMMAND...: until it succeeds
  local tries=$(($1 * 10)); shift
  while ! "$@"; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}
has() { grep -qE -- "$2" "$1" 2>/dev/null; } # FILE REGEX

# --- namespaces ---
in_gw() { ip netns exec "$NS_GW" "$@"; }
in_cl() { ip netns exec "$NS_CL" "$@"; }
in_nat() { ip netns exec "$NS_NAT" "$@"; }
net_down() { local ns; for ns in "$NS_GW" "$NS_CL" "$NS_NAT"; do ip netns del "$ns" 2>/dev/null; done; return 0; }

# gateway --- client, or, with `nat`, gateway --- nat --- client.
net_up() { # [nat]
  net_down
  ip netns add "$NS_GW"; ip netns add "$NS_CL"
  in_gw ip link set lo up; in_cl ip link set lo up
  if [ "${1:-}" = nat ]; then
    ip netns add "$NS_NAT"; in_nat ip link set lo up
    ip link add gw0 netns "$NS_GW" type veth peer name out0 netns "$NS_NAT"
    ip link add cl0 netns "$NS_CL" type veth peer name in0 netns "$NS_NAT"
    in_nat ip addr add 10.77.0.254/24 dev out0; in_nat ip link set out0 up
    in_nat ip addr add 10.66.0.1/24 dev in0; in_nat ip link set in0 up
    in_cl ip addr add 10.66.0.2/24 dev cl0; in_cl ip link set cl0 up
    in_cl ip route add default via 10.66.0.1
    in_nat sysctl -qw net.ipv4.ip_forward=1
    in_nat nft 'table ip n { chain post { type nat hook postrouting priority 100; oifname "out0" masquerade random; }; }'
  else
    ip link add gw0 netns "$NS_GW" type veth peer name cl0 netns "$NS_CL"
    in_cl ip addr add $IP_CL/24 dev cl0; in_cl ip link set cl0 up
    in_cl ip route add default via $IP_GW
  fi
  in_gw ip addr add $IP_GW/24 dev gw0; in_gw ip link set gw0 up
  in_gw ip addr add $IP_PROTECTED/32 dev lo
  in_gw sysctl -qw net.ipv4.ip_forward=1
  if [ "${1:-}" != nat ]; then
    in_gw ip addr add $IP6_GW/64 dev gw0 nodad; in_cl ip addr add $IP6_CL/64 dev cl0 nodad
    in_gw ip addr add $IP6_PROTECTED/128 dev lo
    in_cl ip route add default via $IP6_GW
  fi
  # What is meant for the tunnel never passes beside it, so that a ping proves something.
  in_gw nft "table inet leak { chain in { type filter hook prerouting priority -300; iifname \"gw0\" ip daddr 10.88.0.0/16 drop; iifname \"gw0\" ip saddr $POOL drop
    iifname \"gw0\" ip6 daddr fd88::/64 drop; iifname \"gw0\" ip6 saddr $POOL6 drop; }; }"
}
