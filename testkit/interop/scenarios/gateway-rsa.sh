TITLE='our gateway, RSA certificates both ways'
OURS=gateway AUTH=cert GW_CERT=gw-rsa CL_CERT=rsa DELETE_BY=peer
check() { swan_log cl "authentication of 'gw.lab.test' with RSA.* successful"; }
