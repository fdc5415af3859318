# A guest kernel with XFRM, for machines whose own kernel has no ESP. Sourced, not run.
#
# The guest is user-mode Linux from Debian, with an initramfs made of this machine's binaries. What it
# plays is a file of peers/guest: `gateway` is strongSwan with the configuration that swan_gateway wrote,
# `kernel` obeys guest_do. Its console is $STATE/guest/console.
GUEST=$STATE/guest

guest_kernel() { # sets KERNEL, VERSION, MODULES
  if [ ! -d "$GUEST/uml/usr/lib/uml" ]; then
    mkdir -p "$GUEST/debs"
    (cd "$GUEST/debs" && apt-get download user-mode-linux && dpkg-deb -x user-mode-linux_*.deb "$GUEST/uml") >"$GUEST/fetch.log" 2>&1 ||
      die "no user-mode-linux package, see $GUEST/fetch.log"
  fi
  KERNEL=$GUEST/uml/usr/bin/linux.uml
  VERSION=$(ls "$GUEST/uml/usr/lib/uml/modules")
  MODULES=$GUEST/uml/usr/lib/uml/modules/$VERSION
}

guest_binaries() { # FILE...: into the root, with the libraries that they are linked with
  local file library
  for file in "$@"; do
    mkdir -p "$GUEST/root$(dirname "$file")"; cp -L "$file" "$GUEST/root$file"
    for library in $(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*'); do
      [ -e "$GUEST/root$library" ] || { mkdir -p "$GUEST/root$(dirname "$library")"; cp -L "$library" "$GUEST/root$library"; }
    done
  done
}

guest_root() { # the part of the initramfs that no scenario changes, made once by each version of this file
  local made; made=$(cat "${BASH_SOURCE[0]}" "$INTEROP"/peers/guest/* | cksum)
  [ "$(cat "$GUEST/made" 2>/dev/null)" = "$made" ] && return 0
  local root=$GUEST/root name openssl_modules
  rm -rf "$root"; mkdir -p "$root"/{bin,sbin,usr/sbin,lib64,etc,lab} "$root/lib/modules/$VERSION"
  cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for name in sh mount mkdir; do ln -s busybox "$root/bin/$name"; done
  guest_binaries "$(readlink -f "$(command -v ip)")" "$CHARON" "$SWANCTL" /usr/lib/ipsec/plugins/*.so /usr/lib/ipsec/_updown \
    "$(readlink -f "$(command -v ping)")" "$(readlink -f "$(command -v iperf3)")"
  cp "$root$(readlink -f "$(command -v ip)")" "$root/sbin/ip"
  mkdir -p "$root/lib/x86_64-linux-gnu"
  cp -L /lib/x86_64-linux-gnu/libgcc_s.so.1 "$root/lib/x86_64-linux-gnu/" # looked for when a thread is cancelled
  openssl_modules=$(openssl version -m | sed 's/.*"\(.*\)"/\1/')
  mkdir -p "$root$openssl_modules"; cp "$openssl_modules"/*.so "$root$openssl_modules/"
  (cd "$MODULES" && find kernel -name '*.ko' | grep -E '/(crypto|lib|net/(ipv4|ipv6|xfrm|core)|drivers/net/tun)' | cpio -pdm --quiet "$root/lib/modules/$VERSION")
  cp "$MODULES"/modules.{builtin,order,builtin.modinfo} "$root/lib/modules/$VERSION/" 2>/dev/null
  depmod -b "$root" "$VERSION" 2>/dev/null
  echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"; echo 'root:x:0:' >"$root/etc/group"
  cp "$INTEROP/peers/guest/init" "$root/init"; cp "$INTEROP"/peers/guest/{gateway,kernel} "$root/lab/"; chmod +x "$root/init"
  echo "$made" >"$GUEST/made"
}

guest_up() { # gateway, whose configuration lies in $STATE/gw | kernel: replaces the veth by a tap that the guest drives
  local role=$1
  net_down
  ip netns add "$NS_CL"; in_cl ip link set lo up
  in_cl ip tuntap add dev cl0 mode tap; in_cl ip addr add $IP_CL/24 dev cl0; in_cl ip link set cl0 up
  in_cl ip addr add $IP6_CL/64 dev cl0 nodad
  in_cl ip route add default via $IP_GW; in_cl ip route add default via $IP6_GW
  mkdir -p "$GUEST"; guest_kernel; guest_root
  rm -rf "$GUEST/root/lab/gw" "$GUEST/commands"; echo "$role" >"$GUEST/root/lab/role"
  if [ "$role" = gateway ]; then
    cp -r "$STATE/gw" "$GUEST/root/lab/gw"
    sed -i -e "s#$STATE/gw/vici#/run/vici#; s#path = $STATE/gw/log#path = /dev/console#; s#$STATE/gw/#/tmp/#g; s# kernel-libipsec # #" \
      "$GUEST/root/lab/gw/strongswan.conf"
  fi
  (cd "$GUEST/root" && find . | cpio -o -H newc --quiet | gzip -1 >"$GUEST/initrd.gz")
  # Its console reads a pipe that this shell keeps open.
  mkfifo "$GUEST/commands"; exec 8<>"$GUEST/commands"
  pid_start guest "$GUEST/console" ip netns exec "$NS_CL" "$KERNEL" mem=512M initrd="$GUEST/initrd.gz" root=/dev/ram0 \
    con=null con0=fd:8,fd:1 quiet vec0:transport=tap,ifname=cl0,depth=64,gro=0
  wait_for 60 has "$GUEST/console" GUEST-READY || { tail -8 "$GUEST/console" >&2; die 'the guest did not boot'; }
  if [ "$role" = gateway ]; then # what the checks read as the gateway's log
    rm -f "$STATE/gw/log"; ln -s "$GUEST/console" "$STATE/gw/log"
  fi
}

# Runs a line of shell in the guest that plays `kernel`, and returns its status. What it says is on the console.
guest_do() { # COMMAND
  guest_asked=$((${guest_asked:-0} + 1))
  printf '%s\n' "${1//$'\n'/ }" >&8
  local tries=0 status
  until status=$(sed -n "s/^GUEST-DID $guest_asked \([0-9]*\).*/\1/p" "$GUEST/console") && [ -n "$status" ]; do
    tries=$((tries + 1)); [ $tries -lt 1500 ] || { say '  the guest does not answer'; return 99; }
    sleep 0.02
  done
  return "$status"
}
