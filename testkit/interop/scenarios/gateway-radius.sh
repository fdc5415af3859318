TITLE='our gateway, EAP-MSCHAPv2 passed through to FreeRADIUS'
OURS=gateway AUTH=eap RADIUS=1 DELETE_BY=peer
check() {
  swan_log cl 'EAP method EAP_MSCHAPV2 succeeded, MSK established' || return 1
  [ -n "$REFERENCE" ] || radius_log 'Login OK: \[alice'
}
