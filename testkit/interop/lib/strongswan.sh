# strongSwan as gateway (`gw`) or client (`cl`), configured from the scenario's variables. Sourced, not run.
#
# Its data path is kernel-libipsec: ESP in the daemon over a TUN device, always in UDP, tunnel mode, no
# ESN. `charon-systemd` needs no systemd and, unlike `charon`, writes no pid file, so two can run at once.
CHARON=${CHARON:-/usr/sbin/charon-systemd}
SWANCTL=${SWANCTL:-/usr/sbin/swanctl}
# `revocation` finds CRLs by their authorityKeyIdentifier only, and needs one of the root for the intermediate.
CHARON_PLUGINS="random nonce openssl x509 revocation constraints pubkey pkcs1 pkcs7 pkcs8 pem hmac kdf xcbc cmac gcm ctr ccm \
aes md5 sha1 sha2 mgf1 curve25519 chapoly drbg curl attr kernel-libipsec kernel-netlink resolve socket-default vici \
updown eap-identity eap-mschapv2 eap-radius counters"
# Loss is not what is tested here: give up early.
CHARON_RETRANSMIT='retransmit_tries = 3
  retransmit_timeout = 1.0
  retransmit_base = 1.4'

swan_conf() { # SIDE CERTIFICATE EXTRA-CHARON EXTRA-PLUGINS
  local dir=$STATE/$1
  rm -rf "$dir"; mkdir -p "$dir"/swanctl/{x509,x509ca,x509crl,private}
  cat >"$dir/strongswan.conf" <<C
charon {
  load = $CHARON_PLUGINS
  install_routes = yes
  threads = 16
  $CHARON_RETRANSMIT
  $3
  filelog {
    log {
      path = $dir/log
      default = 1
      time_format = %H:%M:%S
      ike = 2
      chd = 2
      cfg = 2
      flush_line = yes
    }
  }
  syslog {
    daemon {
      default = -1
    }
  }
  plugins {
    vici {
      socket = unix://$dir/vici
    }
    resolve {
      file = $dir/resolv.conf
      resolvconf {
        path = /nonexistent
      }
    }
    $4
  }
}
charon-systemd {
  journal {
    default = -1
  }
}
C
  : >"$dir/resolv.conf"
  # Only the anchor: the intermediate travels in CERT payloads.
  cp "$PKI/ca/root.crt" "$dir/swanctl/x509ca/"
  cp "$PKI"/crl/{root,inter}.crl "$dir/swanctl/x509crl/"
  if [ -n "$2" ]; then
    cp "$PKI/$1/$2.crt" "$PKI/ca/inter.crt" "$dir/swanctl/x509/"
    cp "$PKI/$1/$2.key" "$dir/swanctl/private/"
  fi
}

swan_secrets() {
  cat <<C
secrets {
  ike-lab {
    id-1 = gw.lab.test
    id-2 = alice@lab.test
    secret = "${SWAN_PSK:-$PSK}"
  }
  eap-alice {
    id = alice
    secret = ${SWAN_PASSWORD:-$PASSWORD}
  }
}
C
}

swan_gateway() { # what the scenario's AUTH asks for
  local certificate='' remote
  case $AUTH in
    psk) remote='auth = psk' ;;
    cert) certificate=$GW_CERT; remote='auth = pubkey
      revocation = strict' ;;
    eap) certificate=$GW_CERT; remote='auth = eap-mschapv2
      eap_id = %any' ;;
  esac
  swan_conf gw "$certificate" "$SWAN_CHARON" ''
  cat >"$STATE/gw/swanctl/swanctl.conf" <<C
connections {
  rw {
    version = 2
    local_addrs = $(by_family $(outer_families) $IP_GW $IP6_GW)
    proposals = $IKE
    pools = v4, v6
    $SWAN_CONNECTION
    local {
      auth = $([ "$AUTH" = psk ] && echo psk || echo pubkey)
      id = gw.lab.test
      $([ -z "$certificate" ] || echo "certs = $certificate.crt")
    }
    remote {
      $remote
    }
    children {
      net {
        local_ts = 10.88.0.0/24, fd88::/64
        esp_proposals = $ESP
        $SWAN_CHILD
      }
    }
  }
}
pools {
  v4 {
    addrs = $POOL
    dns = $IP_DNS
  }
  v6 {
    addrs = $POOL6
  }
}
$(swan_secrets)
C
}

swan_client() { # [again]: what the scenario's AUTH asks for; `again` while charon runs, which then has to load it
  local certificate='' local
  case $AUTH in
    psk) local='auth = psk
      id = alice@lab.test' ;;
    cert) certificate=$CL_CERT; local="auth = pubkey
      id = $CL_CERT@lab.test
      certs = $CL_CERT.crt" ;;
    eap) local='auth = eap
      id = alice@lab.test
      eap_id = alice' ;;
  esac
  [ -z "${1:-}" ] && swan_conf cl "$certificate" "$SWAN_CHARON" ''
  cat >"$STATE/cl/swanctl/swanctl.conf" <<C
connections {
  home {
    version = 2
    remote_addrs = $(gateway_address)
    proposals = $IKE
    vips = $(by_family $INNER 0.0.0.0 ::)
    $SWAN_CONNECTION
    local {
      $local
    }
    remote {
      auth = $([ "$AUTH" = psk ] && echo psk || printf 'pubkey\n      revocation = strict')
      id = gw.lab.test
    }
    children {
      net {
        remote_ts = $(by_family $INNER 10.88.0.0/24 fd88::/64)
        esp_proposals = $ESP
        $SWAN_CHILD
      }
    }
  }
}
$(swan_secrets)
C
}

swan_start() { # SIDE NETNS
  local dir=$STATE/$1
  STRONGSWAN_CONF="$dir/strongswan.conf" SWANCTL_DIR="$dir/swanctl" \
    pid_start "$1" "$dir/stdout" ip netns exec "$2" "$CHARON"
  wait_for 10 test -S "$dir/vici" || { tail -8 "$dir/log" "$dir/stdout" >&2; die "strongSwan ($1) did not start"; }
  swan "$1" --load-all --noprompt >"$dir/load" 2>&1 || { cat "$dir/load" >&2; die "strongSwan ($1): bad configuration"; }
}
swan() { # SIDE swanctl-argument...
  local dir=$STATE/$1 verb=$2; shift 2
  STRONGSWAN_CONF="$dir/strongswan.conf" SWANCTL_DIR="$dir/swanctl" "$SWANCTL" "$verb" --uri "unix://$dir/vici" "$@"
}
swan_sas() { swan "$1" --list-sas 2>/dev/null; }
swan_established() { swan_sas "$1" | grep -q ESTABLISHED; }
swan_children() { swan_sas "$1" | grep -c INSTALLED; }
swan_log() { # SIDE REGEX: the log says so, or becomes an error
  has "$STATE/$1/log" "$2" || { say "  strongSwan's log lacks: $2"; return 1; }
}
