TITLE='our client, ESP with AES-GCM-256, packets of all lengths'
IKE=aes256gcm16-prfsha384-ecp384 ESP=aes256gcm16-ecp384
check() { ping_sizes && swan_log gw 'selected proposal: ESP:AES_GCM_16_256'; }
