TITLE='our client behind an address translator, packets of all lengths, iperf3'
NET=nat TSHARK=1
check() { swan_log gw 'remote host is behind NAT' && ping_sizes && iperf_both_ways; }
