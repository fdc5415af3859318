# The Debian packages that the peers come from. Sourced, not run.
PACKAGES=(charon-systemd strongswan-swanctl strongswan-pki strongswan-libcharon libcharon-extra-plugins
  libcharon-extauth-plugins libstrongswan-standard-plugins libstrongswan-extra-plugins freeradius
  freeradius-utils openssl iproute2 iputils-ping nftables procps python3 tcpdump tshark iperf3)
# For the guest kernel: the last line is what Debian's user-mode-linux is linked with.
PACKAGES_GUEST=(kmod cpio busybox-static libldns3 libevent-pthreads-2.1-7 libnss3-tools libcap-ng0 libunbound8)

packages_install() {
  local missing=() package
  for package in "${PACKAGES[@]}" "${PACKAGES_GUEST[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "interop: installing ${missing[*]}"
  apt-get update -qq >"$STATE/apt.log" 2>&1
  # Their services must not start: the daemons run here with configurations of our own.
  local policy=/usr/sbin/policy-rc.d made=
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$STATE/apt.log" 2>&1
  local status=$?
  [ -z "$made" ] || rm -f $policy
  [ $status = 0 ] || die "apt-get install failed, see $STATE/apt.log"
}
