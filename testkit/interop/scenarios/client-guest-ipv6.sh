TITLE='our client over IPv6, both families in one tunnel, ESP read by Linux XFRM'
PEER=guest OUTER=6 INNER=46
steps() { scenario_up && scenario_connect && each_family 46 && check && scenario_delete; }
check() { has "$GUEST/console" 'src fd77::1 dst fd77::2' && has "$GUEST/console" 'encap type espinudp' && has "$GUEST/console" 'flag .*af-unspec'; }
