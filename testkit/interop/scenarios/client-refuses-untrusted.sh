TITLE='our client refuses a gateway whose CA it does not trust'
AUTH=eap GW_CERT=gw-untrusted REFUSED=1
check() { not has "$STATE/gw/log" 'EAP/REQ/MSCHAPV2|EAP/RES/' || { say '  the client went on with EAP'; return 1; }; }
