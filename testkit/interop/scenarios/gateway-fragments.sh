TITLE='our gateway, certificates so large that IKE must fragment, both ways'
OURS=gateway AUTH=cert GW_CERT=gw-big CL_CERT=big DELETE_BY=peer
check() { swan_log cl 'reassembled fragmented IKE message' && swan_log cl 'splitting IKE message .* into [0-9]+ fragments'; }
