TITLE='our gateway refuses a wrong pre-shared key'
OURS=gateway SWAN_PSK=wrong REFUSED=1
check() { swan_log cl 'AUTHENTICATION_FAILED|AUTH_FAILED|pre-shared key failed' && our_stop; }
