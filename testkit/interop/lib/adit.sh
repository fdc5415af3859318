# Our end: the `client` and `gateway` examples, configured from the scenario's variables. Sourced, not run.
#
# With REFERENCE=1 strongSwan stands in our place, which shows that a scenario itself is right.
ADIT_BIN=${ADIT_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/release/examples}
REFERENCE=${REFERENCE:-}

adit_build() { # unless binaries are given
  [ -z "$REFERENCE" ] || return 0
  if [ "$ADIT_BIN" = "${CARGO_TARGET_DIR:-$ROOT/target}/release/examples" ]; then
    (cd "$ROOT" && cargo build --release -p adit --example client --example gateway -p adit-testkit --example esp_peer) >"$STATE/build.log" 2>&1 ||
      { tail -20 "$STATE/build.log" >&2; die 'the examples do not build'; }
  fi
  [ -x "$ADIT_BIN/client" ] && [ -x "$ADIT_BIN/gateway" ] && [ -x "$ADIT_BIN/esp_peer" ] || die "no examples in $ADIT_BIN"
}

# CRLs for our end: the intermediate's from the distribution point that certificates name, over HTTP; the
# root's, which none names, from a file.
adit_crls() { printf 'crl = ["%s"]\nrevocation = "require"\n' "$PKI/crl/root.crl"; }

adit_client_toml() {
  cat <<C
[gateway]
address = "$(gateway_address)"
id = "gw.lab.test"
$(if [ "$AUTH" = psk ]; then echo "psk = \"$PSK\""; else echo "ca = [\"$PKI/ca/root.crt\"]"; adit_crls; fi)

[client]
$(case $AUTH in
    psk) printf 'id = "alice@lab.test"\npsk = "%s"' "$PSK" ;;
    cert) printf 'id = "%s@lab.test"\ncertificate = "%s.pem"\nkey = "%s.key"' "$CL_CERT" "$PKI/cl/$CL_CERT" "$PKI/cl/$CL_CERT" ;;
    eap) printf 'id = "alice@lab.test"\nuser = "alice"\npassword = "%s"' "$OUR_PASSWORD" ;;
  esac)

[tunnel]
device = "adit1"
subnets = [$(by_family $INNER '"10.88.0.0/24"' '"fd88::/64"')]

[ike]
proposals = ["$OUR_IKE"]
esp_proposals = ["$OUR_ESP"]
$OUR_OPTIONS

[debug]
dangerous_key_log = "keys"
C
}

adit_gateway_toml() {
  cat <<C
[listen]
addresses = [$(by_family $(outer_families) "\"$IP_GW\"" "\"$IP6_GW\"")]

[gateway]
id = "gw.lab.test"
$([ "$AUTH" = psk ] || printf 'certificate = "%s.pem"\nkey = "%s.key"\n' "$PKI/gw/$GW_CERT" "$PKI/gw/$GW_CERT")

$(case $AUTH in
    psk) printf '[[clients.psk]]\nid = "alice@lab.test"\nsecret = "%s"\n' "$PSK" ;;
    cert) printf '[clients.certificate]\nca = ["%s"]\n' "$PKI/ca/root.crt"; adit_crls ;;
    eap)
      printf '[clients.eap]\n\n'
      if [ -n "$RADIUS" ]; then
        printf '[radius]\nservers = [{ address = "127.0.0.1:%s", secret = "%s" }]\n' $RADIUS_PORT $RADIUS_SECRET
      else
        printf '[[users]]\nname = "alice"\npassword = "%s"\n' "$OUR_PASSWORD"
      fi ;;
  esac)

[pool]
addresses = ["$POOL", "$POOL6"]
dns = ["$IP_DNS"]
subnets = ["10.88.0.0/24", "fd88::/64"]

[tunnel]
device = "adit0"

[ike]
proposals = ["$OUR_IKE"]
esp_proposals = ["$OUR_ESP"]
$OUR_OPTIONS

[debug]
dangerous_key_log = "keys"
C
}

adit_start() { # client|gateway NETNS
  local dir=$STATE/ours
  rm -rf "$dir"; mkdir -p "$dir/keys"
  "adit_$1_toml" >"$dir/$1.toml"
  RUST_BACKTRACE=1 pid_start ours "$dir/log" ip netns exec "$2" "$ADIT_BIN/$1" "$dir/$1.toml"
}
adit_log() { # REGEX: the log says so, or becomes an error
  [ -n "$REFERENCE" ] || has "$STATE/ours/log" "$1" || { say "  our log lacks: $1"; return 1; }
}
# As a person stops it: Ctrl-C, a DELETE on the wire, exit 0.
adit_stop() {
  pid_interrupt ours; local status=$?
  [ $status = 0 ] || { say "  ours ended with status $status"; return 1; }
}
