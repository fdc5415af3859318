TITLE='our gateway, IKE_SA rekeyed by each end under traffic, no packet lost'
OURS=gateway DELETE_BY=peer OUR_OPTIONS='rekey = "3s"'
rekey() {
  sleep 1; swan cl --rekey --ike home >/dev/null
  [ -n "$REFERENCE" ] && { sleep 1; swan gw --rekey --ike rw >/dev/null; }
  sleep 6
}
check() {
  ping_while rekey || return 1
  swan_log cl 'generating CREATE_CHILD_SA request [0-9]+ \[ SA No KE \]' && swan_log cl 'parsed CREATE_CHILD_SA request [0-9]+ \[ SA .*No.* KE' &&
    swan_log cl 'IKE_SA home\[[0-9]+\] rekeyed between'
}
