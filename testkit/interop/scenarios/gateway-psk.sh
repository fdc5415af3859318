TITLE='our gateway, pre-shared key'
OURS=gateway DELETE_BY=peer
check() { swan_log cl "authentication of 'gw.lab.test' with pre-shared key successful" && swan_log cl 'installing DNS server 10.88.0.53'; }
