TITLE='our client, ESP read by Linux XFRM in the guest kernel'
PEER=guest
check() { has "$GUEST/console" 'aead rfc4106\(gcm\(aes\)\)' || { say '  the guest has no XFRM state'; return 1; }; }
