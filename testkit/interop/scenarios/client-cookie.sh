TITLE='our client is asked for a cookie'
SWAN_CHARON='cookie_threshold = 2
  cookie_threshold_ip = 1
  half_open_timeout = 20'
prepare() {
  in_cl python3 "$INTEROP/peers/half_open.py" $IP_GW 500 6 >"$STATE/half_open.log"
  has "$STATE/half_open.log" 'cookies [1-9]' || { say '  strongSwan asks for no cookies'; return 1; }
}
# Asked once, then come with it: a request of ours that begins with the cookie.
check() { swan_log gw 'parsed IKE_SA_INIT request 0 \[ N\(COOKIE\) SA KE No'; }
