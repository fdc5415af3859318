TITLE='our client, ECDSA certificates both ways'
AUTH=cert DELETE_BY=peer
check() { swan_log gw "authentication of 'p256@lab.test' with ECDSA.* successful" && swan_log gw 'certificate status is good'; }
