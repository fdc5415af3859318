TITLE='our client refuses a gateway whose certificate is revoked, before any password'
AUTH=eap GW_CERT=gw-revoked REFUSED=1
check() {
  adit_log 'certificate: revoked on' || return 1
  # The gateway saw at most the first IKE_AUTH: nothing of EAP-MSCHAPv2.
  not has "$STATE/gw/log" 'EAP/REQ/MSCHAPV2|EAP/RES/' || { say '  the client went on with EAP'; return 1; }
}
