TITLE='our gateway, ESP with AES-GCM-256, packets of all lengths'
OURS=gateway DELETE_BY=peer
IKE=aes256gcm16-prfsha384-ecp384 ESP=aes256gcm16-ecp384
check() { ping_sizes && swan_log cl 'selected proposal: ESP:AES_GCM_16_256'; }
