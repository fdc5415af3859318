TITLE='our gateway, the client behind an address translator, packets of all lengths, iperf3'
OURS=gateway NET=nat DELETE_BY=peer
check() { swan_log cl 'local host is behind NAT' && ping_sizes && iperf_both_ways; }
