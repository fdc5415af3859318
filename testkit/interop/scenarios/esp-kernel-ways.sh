TITLE='ESP by manual keys with Linux XFRM: every way of an AEAD and of CBC, wrong keys'
PEER=guest OURS_ONLY=1
steps() {
  manual_up
  local suite way
  while read -r -a suite <&3; do
    case $suite in aes256gcm16 | aes256-sha256) ;; *) continue ;; esac
    while read -r -a way <&4; do
      manual_connect "${suite[@]}" -- "${way[@]}" && manual_ping $SIZES && manual_iperf && manual_unrefused || { say "  with $suite ${way[*]}"; return 1; }
    done 4< <(manual_ways all)
    manual_wrong_keys "${suite[@]}" -- tunnel 4 4 esp noesn 1400 || { say "  with $suite"; return 1; }
  done 3< <(manual_suites)
}
