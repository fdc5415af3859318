TITLE='our client, ESP with AES-CBC-128 and HMAC-SHA2-256, packets of all lengths'
IKE=aes128-sha256-ecp256 ESP=aes128-sha256
check() { ping_sizes && swan_log gw 'selected proposal: ESP:AES_CBC_128/HMAC_SHA2_256_128'; }
