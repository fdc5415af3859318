TITLE='our client, RSA certificates both ways'
AUTH=cert GW_CERT=gw-rsa CL_CERT=rsa
check() { swan_log gw "authentication of 'rsa@lab.test' with RSA.* successful"; }
