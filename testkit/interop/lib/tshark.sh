# Wireshark as the judge of what we send: it must decrypt all of it with our key log, and find nothing wrong
# with it. Sourced, not run.

capture_start() { # what the client's interface sees, without what passes inside the tunnel
  local dev
  # As packets are on the wire, not as the kernel hands many at once to an interface.
  for dev in "$NS_CL cl0" "$NS_GW gw0"; do ip -n ${dev% *} link set ${dev#* } gso_max_segs 1 2>/dev/null; done
  rm -f "$STATE/capture.pcap"
  pid_start capture "$STATE/capture.log" ip netns exec "$NS_CL" tcpdump -U -i cl0 -B 16384 -w "$STATE/capture.pcap" \
    'udp port 500 or udp port 4500 or esp or ip[6:2] & 0x3fff != 0 or ip6 proto 44'
  wait_for 5 has "$STATE/capture.log" 'listening on' || { say '  tcpdump does not listen'; return 1; }
}
# The kernel hands packets to tcpdump a second late, and it does not wait for the last of them.
capture_stop() { sleep 2; pid_stop capture; }

# On what was captured. Wireshark 4.0 cannot load a line about ChaCha20-Poly1305.
tshark_capture() { # KEY-TABLES ARGUMENT...
  local home=$STATE/wireshark; mkdir -p "$home/.config/wireshark"
  cp "$1/esp_sa" "$home/.config/wireshark/"
  grep -v ChaCha20 "$1/ikev2_decryption_table" >"$home/.config/wireshark/ikev2_decryption_table" 2>/dev/null
  shift
  HOME=$home XDG_CONFIG_HOME='' tshark -n -r "$STATE/capture.pcap" -o esp.enable_encryption_decode:TRUE \
    -o esp.enable_authentication_check:TRUE "$@" 2>"$home/stderr"
}

# Every packet of an SA in the key log is decrypted, and its ICV right where Wireshark can say so; so is every
# IKE message; nothing at all is malformed.
tshark_reads_all() { # KEY-TABLES
  local keys=$1 wrong
  wrong=$({
    tshark_esp "$keys"
    tshark_ike "$keys"
    tshark_capture "$keys" -Y '_ws.malformed'
    grep -i error "$STATE/wireshark/stderr"
  } | head -5)
  [ -z "$wrong" ] || { say "  tshark cannot read, or finds wrong:"; say "$wrong"; return 1; }
}

# Complaints about ESP. A line of keys: "IPv4","FROM","TO","0xSPI","CIPHER","0xKEY","MAC","0xKEY"
tshark_esp() {
  tshark_capture "$1" -Y esp -T fields -E occurrence=f -e esp.spi -e esp.protocol -e esp.icv_good | awk -F'\t' -v table="$1/esp_sa" '
    BEGIN { while ((getline line <table) > 0) { split(line, f, /","/); spi = tolower(f[4]); known[spi] = 1; blind[spi] = tolower(f[7]) ~ /no checking/ } }
    $1 in known { n[$1]++; if ($2 == "" || !blind[$1] && $3 != 1) bad[$1]++ }
    END {
      for (spi in known) { if (!n[spi]) print "nothing of SA " spi; else if (bad[spi]) print bad[spi] " of " n[spi] " packets of SA " spi }
    }'
}

# Complaints about IKE. A line of keys begins with the two SPIs, the initiator's first.
tshark_ike() {
  [ -s "$STATE/wireshark/.config/wireshark/ikev2_decryption_table" ] || return 0
  tshark_capture "$1" -Y 'isakmp.typepayload == 46 || isakmp.typepayload == 53' -T fields -E separator=/t -e isakmp.ispi -e isakmp.enc.decrypted \
    -e isakmp.enc.contained -e _ws.expert.message | awk -F'\t' -v table="$STATE/wireshark/.config/wireshark/ikev2_decryption_table" '
    BEGIN { while ((getline line <table) > 0) { split(line, f, ","); known[f[1]] = 1 } }
    $1 in known { n[$1]++; if ($2 == "" || $4 ~ /[Ii]ncorrect|[Bb]ad|too big|[Nn]ot enough/) bad[$1]++ }
    END {
      # One that was rekeyed at once may have carried nothing.
      for (spi in known) { read += n[spi]; if (bad[spi]) print bad[spi] " of " n[spi] " messages of IKE SA " spi }
      if (!read) print "no message of any IKE SA"
    }'
}
