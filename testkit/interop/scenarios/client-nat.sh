TITLE='our client behind an address translator'
NET=nat
check() { swan_log gw 'remote host is behind NAT'; }
