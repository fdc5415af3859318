TITLE='ESP by manual keys as Wireshark sees it: every suite that it knows, tunnel and transport mode'
PEER=guest OURS_ONLY=1
steps() {
  manual_up
  capture_start || return 1
  local suite way=()
  while read -r -a suite <&3; do
    case $suite in *ccm* | *gmac | chacha*) continue ;; esac # no ESP with these
    if [ "${way[0]:-}" = tunnel ]; then way=(transport 6 6 esp noesn 9000); else way=(tunnel 4 4 udp noesn 1400); fi
    manual_connect "${suite[@]}" -- "${way[@]}" && manual_ping 0 16 17 1000 4000 || { say "  with $suite ${way[*]}"; return 1; }
  done 3< <(manual_suites)
  capture_stop
  tshark_reads_all "$STATE/keys"
}
