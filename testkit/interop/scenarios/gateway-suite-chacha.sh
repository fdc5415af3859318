TITLE='our gateway, ESP with ChaCha20-Poly1305, packets of all lengths'
OURS=gateway DELETE_BY=peer
IKE=chacha20poly1305-prfsha256-x25519 ESP=chacha20poly1305
check() { ping_sizes && swan_log cl 'selected proposal: ESP:CHACHA20_POLY1305'; }
