TITLE='our gateway asks everyone for a cookie'
OURS=gateway DELETE_BY=peer OUR_OPTIONS='cookies = "always"'
REFERENCE_CHARON='cookie_threshold = 2
  cookie_threshold_ip = 1'
prepare() { :; }
check() { [ -n "$REFERENCE" ] || swan_log cl 'parsed IKE_SA_INIT response 0 \[ N\(COOKIE\) \]'; }
