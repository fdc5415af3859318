TITLE="our gateway refuses a client's revoked certificate"
OURS=gateway AUTH=cert CL_CERT=revoked REFUSED=1
check() { swan_log cl 'AUTHENTICATION_FAILED|AUTH_FAILED' && adit_log 'certificate: revoked on' && our_stop; }
