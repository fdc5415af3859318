TITLE='ESP by manual keys with Linux XFRM: every suite in both modes, packets of all lengths, iperf3'
PEER=guest OURS_ONLY=1
steps() {
  manual_up
  local suite way turn=0
  while read -r -a suite <&3; do
    turn=$((1 - turn))
    # Linux drops ESP in UDP over IPv6 that is shorter than 40 bytes, which short pings of these are.
    case $suite in *cm8 | dangerous_null*) turn=1 ;; esac
    while read -r -a way <&4; do
      manual_connect "${suite[@]}" -- "${way[@]}" && manual_ping $SIZES && manual_unrefused || { say "  with $suite ${way[*]}"; return 1; }
    done 4< <(manual_ways $turn)
    manual_iperf || { say "  with $suite ${way[*]}"; return 1; }
  done 3< <(manual_suites)
}
