TITLE='our gateway, EAP-MSCHAPv2 against its own users'
OURS=gateway AUTH=eap DELETE_BY=peer
check() { swan_log cl 'EAP method EAP_MSCHAPV2 succeeded, MSK established'; }
