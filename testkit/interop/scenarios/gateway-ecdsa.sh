TITLE='our gateway, ECDSA certificates both ways'
OURS=gateway AUTH=cert
check() { swan_log cl "authentication of 'gw.lab.test' with ECDSA.* successful"; }
