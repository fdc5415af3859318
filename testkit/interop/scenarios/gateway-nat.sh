TITLE='our gateway, the client behind an address translator'
OURS=gateway NET=nat DELETE_BY=peer
check() { swan_log cl 'local host is behind NAT'; }
