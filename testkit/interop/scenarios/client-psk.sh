TITLE='our client, pre-shared key'
check() { swan_log gw "authentication of 'alice@lab.test' with pre-shared key successful"; }
