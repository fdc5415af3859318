TITLE='our gateway, IPv4 and IPv6 in each other, packets of all lengths, iperf3, as Wireshark sees them'
OURS=gateway DELETE_BY=peer
steps() { scenario_up && each_way 6/4 4/6 6/46; }
