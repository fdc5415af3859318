TITLE='our gateway refuses a wrong password'
OURS=gateway AUTH=eap SWAN_PASSWORD=wrong REFUSED=1
check() { swan_log cl 'EAP_FAILURE|AUTH_FAILED' && our_stop; }
