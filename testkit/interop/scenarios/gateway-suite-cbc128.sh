TITLE='our gateway, ESP with AES-CBC-128 and HMAC-SHA2-256, packets of all lengths'
OURS=gateway DELETE_BY=peer
IKE=aes128-sha256-ecp256 ESP=aes128-sha256
check() { ping_sizes && swan_log cl 'selected proposal: ESP:AES_CBC_128/HMAC_SHA2_256_128'; }
