TITLE='our client, ESP with AES-CBC-256 and HMAC-SHA2-512, packets of all lengths'
IKE=aes256-sha512-modp3072 ESP=aes256-sha512
check() { ping_sizes && swan_log gw 'selected proposal: ESP:AES_CBC_256/HMAC_SHA2_512_256'; }
