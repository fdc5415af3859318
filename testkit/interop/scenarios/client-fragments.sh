TITLE='our client, certificates so large that IKE must fragment, both ways'
AUTH=cert GW_CERT=gw-big CL_CERT=big TSHARK=1
check() { swan_log gw 'reassembled fragmented IKE message' && swan_log gw 'splitting IKE message .* into [0-9]+ fragments'; }
