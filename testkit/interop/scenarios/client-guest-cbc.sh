TITLE='our client, AES-CBC with HMAC-SHA2-256, ESP read by Linux XFRM'
PEER=guest ESP=aes256-sha256
check() { has "$GUEST/console" 'enc cbc\(aes\)' && has "$GUEST/console" 'auth-trunc hmac\(sha256\)'; }
