TITLE='our client, a router on the way that carries 1300 bytes: senders are told, the rest goes in fragments'
NET=nat
prepare() { in_nat ip link set out0 mtu 1300; in_gw ip link set gw0 mtu 1300; }
check() { path_learnt cl $IP_PROTECTED && ping_sizes && iperf_both_ways; }
