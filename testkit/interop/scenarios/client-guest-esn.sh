TITLE='our client, extended sequence numbers, ESP read by Linux XFRM'
PEER=guest OURS_ONLY=1 ESP=aes256gcm16-esn
check() { has "$GUEST/console" 'flag .*esn' || { say '  the SA has no ESN'; return 1; }; }
