TITLE='our gateway, CHILD_SA rekeyed by each end under traffic, no packet lost'
OURS=gateway DELETE_BY=peer TSHARK=1 OUR_OPTIONS='child_rekey = "3s"'
rekey() {
  sleep 1; swan cl --rekey --child net >/dev/null
  [ -n "$REFERENCE" ] && { sleep 1; swan gw --rekey --child net >/dev/null; }
  sleep 6
}
check() {
  ping_while rekey || return 1
  swan_log cl 'generating CREATE_CHILD_SA request [0-9]+ \[ N\(REKEY_SA\)' && swan_log cl 'parsed CREATE_CHILD_SA request [0-9]+ \[ .*N\(REKEY_SA\)' &&
    wait_for 3 one_child
}
one_child() { [ "$(swan_children cl)" = 1 ]; }
