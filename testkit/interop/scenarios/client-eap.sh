TITLE="our client, EAP-MSCHAPv2, the gateway's certificate checked against a CRL fetched over HTTP"
AUTH=eap TSHARK=1
check() {
  swan_log gw 'EAP method EAP_MSCHAPV2 succeeded, MSK established' || return 1
  [ -n "$REFERENCE" ] || has "$STATE/http.log" 'GET /crl/inter.crl.* 200' || { say '  no CRL was fetched'; return 1; }
}
