# ESP by manual keys, without IKE: our `esp_peer` against the XFRM of the guest kernel. Sourced, not run.

# Each suite that we share with the kernel (which lacks implicit IVs, RFC 8750): what we call it, then what
# the kernel does: encryption, bytes of key with its salt or nonce, and bits of ICV; with an integrity
# algorithm of its own instead of the bits, that algorithm, its bytes and its bits.
manual_suites() {
  local bits bytes octets cipher
  for bits in 128 192 256; do
    bytes=$((bits / 8))
    for octets in 16 12 8; do
      echo "aes${bits}gcm$octets rfc4106(gcm(aes)) $((bytes + 4)) $((octets * 8))"
      echo "aes${bits}ccm$octets rfc4309(ccm(aes)) $((bytes + 3)) $((octets * 8))"
    done
    echo "aes${bits}gmac rfc4543(gcm(aes)) $((bytes + 4)) 128"
    manual_macs "aes$bits cbc(aes) $bytes"
    manual_macs "aes${bits}ctr rfc3686(ctr(aes)) $((bytes + 4))"
  done
  echo "chacha20poly1305 rfc7539esp(chacha20,poly1305) 36 128"
  manual_macs "dangerous_null ecb(cipher_null) 0"
}
manual_macs() { # NAME CIPHER BYTES
  local mac
  set -- $1
  for mac in 'sha256 hmac(sha256) 32 128' 'sha384 hmac(sha384) 48 192' 'sha512 hmac(sha512) 64 256' \
    'aesxcbc xcbc(aes) 16 96' 'aescmac cmac(aes) 16 96'; do echo "$1-${mac%% *} $2 $3 ${mac#* }"; done
}

# How packets travel: mode, outer and inner IP version, IP protocol 50 or UDP, sequence numbers, and the
# largest packet that we take from our host: more than 1500 travels in fragments outside the tunnel.
manual_ways() { # 0 | 1 | all: two that differ in everything, or all
  case $1 in
    0) printf '%s\n' 'tunnel 4 4 esp noesn 1400' 'transport 6 6 udp esn 9000' ;;
    1) printf '%s\n' 'tunnel 6 6 udp esn 9000' 'transport 4 4 esp noesn 9000' ;;
    all)
      local mode outer inner carrier esn
      for mode in tunnel transport; do for outer in 4 6; do for inner in 4 6; do for carrier in esp udp; do for esn in noesn esn; do
        [ $mode = transport ] && [ $outer != $inner ] && continue
        echo "$mode $outer $inner $carrier $esn $([ $mode = tunnel ] && [ $esn = noesn ] && echo 1400 || echo 9000)"
      done; done; done; done; done ;;
  esac
}

manual_up() {
  rm -rf "$STATE/keys"; mkdir -p "$STATE/keys"
  guest_up kernel
  in_cl ip addr add 10.99.0.1/32 dev lo; in_cl ip addr add fd99::1/128 dev lo
  # For transport mode the ends have addresses that no tunnel uses, so that the policies of both can stand.
  in_cl ip addr add 10.77.1.2/24 dev cl0; in_cl ip addr add fd77:1::2/64 dev cl0 nodad
  # All packets between those are ESP's: neighbours are not asked for through it.
  local ours theirs to
  ours=$(in_cl cat /sys/class/net/cl0/address)
  guest_do "echo GUEST-MAC \$(cat /sys/class/net/vec0/address)"; theirs=$(sed -n 's/^GUEST-MAC \([0-9a-f:]*\).*/\1/p' "$GUEST/console" | tail -1)
  for to in 10.77.0.1 fd77::1 10.77.1.1 fd77:1::1; do in_cl ip neigh replace $to lladdr "$theirs" dev cl0 nud permanent; done
  guest_do "for to in 10.77.0.2 fd77::2 10.77.1.2 fd77:1::2; do ip neigh replace \$to lladdr $ours dev vec0 nud permanent; done"
  # Devices of ours speak for nobody else, and answers may come in where no route leads out.
  in_cl sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
}

# A key of BYTES octets, the same for the same NAME: no other suite or direction has it.
manual_key() { # NAME BYTES
  local hex=''
  while [ ${#hex} -lt $((2 * $2)) ]; do hex+=$(printf '%s %s' "$1" ${#hex} | sha256sum | cut -c1-64); done
  echo "${hex:0:$((2 * $2))}"
}
# What the kernel wants to know of a direction: an algorithm with its key.
manual_transform() { # NAME CIPHER BYTES (BITS | MAC BYTES BITS)
  local key; key=$(manual_key "$1 key" $3)
  if [ $# = 4 ]; then echo "aead $2 0x$key $4"
  else echo "enc $2 ${key:+0x}${key:-\"\"} auth-trunc $4 0x$(manual_key "$1 integrity" $5) $6"; fi
}
# The same for us.
manual_sa() { # SPI NAME CIPHER BYTES (BITS | MAC BYTES BITS)
  local key; key=$(printf '%x:' $1)$(manual_key "$2 key" $4)
  [ $# = 5 ] || key=$key:$(manual_key "$2 integrity" $6)
  echo "$key"
}

WRONG=''
# Makes both ends of a pair of SAs. WRONG=out gives us another key to seal with than the kernel has to open
# with, WRONG=in the other way round.
manual_connect() { # SUITE TRANSFORM... -- MODE OUTER INNER CARRIER ESN MTU
  local suite=$1 transform=(); shift
  while [ "$1" != -- ]; do transform+=("$1"); shift; done
  local mode=$2 outer=$3 inner=$4 carrier=$5 esn=$6 mtu=$7 options=()
  case $mode$outer in
    tunnel4) us=10.77.0.2 them=10.77.0.1 ;;
    tunnel6) us=fd77::2 them=fd77::1 ;;
    transport4) us=10.77.1.2 them=10.77.1.1 ;;
    transport6) us=fd77:1::2 them=fd77:1::1 ;;
  esac
  case $mode$inner in
    tunnel4) inner_us=10.99.0.1 inner_them=10.88.0.1 ;;
    tunnel6) inner_us=fd99::1 inner_them=fd88::1 ;;
    *) inner_us=$us inner_them=$them; options+=(--transport) ;;
  esac
  [ $carrier = esp ] || options+=(--udp)
  # SAs of their own each time: the kernel is slow to forget states, and a late packet must not fit.
  manual_pairs=$((${manual_pairs:-0} + 1))
  local out=$((0x1000 + manual_pairs)) in=$((0x2000 + manual_pairs))
  local flags="proto esp mode $mode reqid $manual_pairs replay-window 128" encap=''
  # Without `af-unspec` the kernel puts no IPv6 into IPv4 or the reverse.
  flags+=" flag $([ $esn = noesn ] || echo esn) $([ $mode = transport ] || echo af-unspec)"
  flags=${flags%flag  }
  [ $carrier = esp ] || encap="encap espinudp 4500 4500 $([ $outer = 4 ] && echo 0.0.0.0 || echo ::)"
  guest_do "printf '%s\\n' 'xfrm state add src $us dst $them spi $out $flags $(manual_transform out "${transform[@]}") $encap' \
    'xfrm state add src $them dst $us spi $in $flags $(manual_transform in "${transform[@]}") $encap' \
    'xfrm policy update dir in src $inner_us dst $inner_them tmpl src $us dst $them proto esp mode $mode reqid $manual_pairs' \
    'xfrm policy update dir out src $inner_them dst $inner_us tmpl src $them dst $us proto esp mode $mode reqid $manual_pairs' |
    ip -batch -" ||
    { say "  the guest kernel refuses $suite"; return 1; }
  pid_stop esp_peer; rm -f "$STATE/esp_peer.log"
  pid_start esp_peer "$STATE/esp_peer.log" ip netns exec "$NS_CL" "$ADIT_BIN/esp_peer" "${options[@]}" --via cl0 --mtu $mtu \
    --key-log "$STATE/keys/esp_sa" esp0 $us $them "$suite$([ $esn = noesn ] || echo -esn)" \
    "$(manual_sa $out "$([ "$WRONG" != out ] || echo wrong)out" "${transform[@]}")" \
    "$(manual_sa $in "$([ "$WRONG" != in ] || echo wrong)in" "${transform[@]}")"
  wait_for 5 has "$STATE/esp_peer.log" '^ready' || { tail -3 "$STATE/esp_peer.log" >&2; return 1; }
  in_cl ip route replace $inner_them dev esp0 src $inner_us
}

SIZES='0 1 15 16 17 255 1000 1371 1372 1373 4000 8900'
manual_ping() { # SIZE...: from both ends; one echo may be lost, as the guest's network does under load
  local ours="ping -c 1 -W 2 -q -I $inner_us $inner_them -s \$size" theirs="ping -c 1 -W 2 -q -I $inner_them $inner_us -s \$size"
  local each="for size in $*; do PING >/dev/null || PING >/dev/null || { echo no answer to \$size bytes; exit 1; }; done"
  in_cl bash -c "${each//PING/$ours}" >&2 || { say '  ... to our ping'; return 1; }
  guest_do "(${each//PING/$theirs})" || { say "  no answer to the kernel's ping"; return 1; }
}

manual_iperf() { # a megabyte over TCP and 200 datagrams over UDP, both ways at once
  local what
  for what in '-n 1M' '-u -b 20M -l 1000 -n 200K'; do
    # The server takes a moment to be done with its last client.
    manual_iperf_once $what || { sleep 0.3; manual_iperf_once $what; } || { say "  iperf3 $what: $(tail -1 "$STATE/iperf.log")"; return 1; }
  done
}
manual_iperf_once() { in_cl timeout 8 iperf3 --bidir -c $inner_them -B $inner_us "$@" >"$STATE/iperf.log" 2>&1; }
manual_unrefused() { not grep -vx ready "$STATE/esp_peer.log" >&2; }

# With a key that is wrong in one direction nothing passes that way, and the end that reads says why.
manual_wrong_keys() { # SUITE TRANSFORM... -- WAY...
  WRONG=out manual_connect "$@" || return 1
  not in_cl ping -c 1 -W 0.5 -q -I $inner_us $inner_them >>"$STATE/ping.log" 2>&1 || { say '  the kernel reads what we sealed with a wrong key'; return 1; }
  guest_do "grep -q 'XfrmInStateProtoError.*[1-9]' /proc/net/xfrm_stat" || { say '  the kernel counts no packet that fails'; return 1; }
  WRONG=in manual_connect "$@" || return 1
  not guest_do "ping -c 1 -W 1 -q -I $inner_them $inner_us >/dev/null" || { say '  we read what was sealed with a wrong key'; return 1; }
  has "$STATE/esp_peer.log" '^refused: ' || { say '  we refuse nothing'; return 1; }
}
