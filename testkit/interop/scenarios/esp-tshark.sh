TITLE='ESP by manual keys as Wireshark sees it: every suite that it knows, both modes, all lengths'
PEER=guest OURS_ONLY=1
steps() {
  manual_up
  capture_start || return 1
  local suite
  while read -r -a suite <&3; do
    manual_connect "${suite[@]}" -- tunnel 4 4 udp noesn 1400 && manual_ping 0 16 17 1000 4000 &&
      manual_connect "${suite[@]}" -- transport 6 6 esp noesn 9000 && manual_ping 0 16 17 1000 4000 || { say "  with $suite"; return 1; }
  done 3< <(manual_suites)
  capture_stop
  tshark_reads_all "$STATE/keys"
}
