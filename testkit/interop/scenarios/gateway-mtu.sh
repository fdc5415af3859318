TITLE='our gateway, a router on the way that carries 1300 bytes: senders are told, the rest goes in fragments'
OURS=gateway NET=nat DELETE_BY=peer
prepare() { in_nat ip link set in0 mtu 1300; in_cl ip link set cl0 mtu 1300; }
check() { path_learnt gw "$(client_address)" && ping_sizes && iperf_both_ways; }
