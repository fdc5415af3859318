TITLE='our client, IKE_SA rekeyed by each end under traffic, no packet lost'
TSHARK=1 OUR_OPTIONS='rekey = "3s"'
rekey() {
  sleep 1; swan gw --rekey --ike rw >/dev/null
  [ -n "$REFERENCE" ] && { sleep 1; swan cl --rekey --ike home >/dev/null; }
  sleep 6
}
check() {
  ping_while rekey || return 1
  swan_log gw 'generating CREATE_CHILD_SA request [0-9]+ \[ SA No KE \]' && swan_log gw 'parsed CREATE_CHILD_SA request [0-9]+ \[ SA .*No.* KE' &&
    swan_log gw 'IKE_SA rw\[[0-9]+\] rekeyed between'
}
