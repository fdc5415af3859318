# Many suites in one scenario: strongSwan stays and offers or takes them all, our end comes again for each.
# Sourced, not run.
ike_suites() {
  printf '%s\n' aes128ccm16-prfsha256-x25519 aes256ccm12-prfsha384-ecp384 aes128ccm8-prfsha256-x25519 aes256gcm12-prfsha512-x25519 \
    aes128gcm8-prfsha256-x25519 aes192gcm16-prfsha256-x25519 aes128ctr-sha256-x25519 aes256ctr-sha512-x25519 aes192-sha384-x25519 \
    aes128-aesxcbc-prfsha256-x25519 aes256-aescmac-prfsha256-x25519 chacha20poly1305-prfsha256-x25519 \
    aes256gcm16-prfsha384-ecp384 aes128-sha256-ecp256 aes256-sha512-modp3072
}
esp_suites() {
  printf '%s\n' aes128ccm16 aes256ccm12 aes128ccm8 aes256gcm12 aes128gcm8 aes192gcm16 aes128ctr-sha256 aes256ctr-sha512 \
    aes192-sha384 aes128-aesxcbc aes256-aescmac chacha20poly1305 aes256gcm16-ecp384 aes128-sha256 aes256-sha512
}
# What strongSwan calls a suite of ESP in its log.
suite_in_log() { # SUITE
  sed -E 's/aes([0-9]+)(g|c)cm(8|12|16)/AES_\2CM_\3_\1/; s/aes([0-9]+)ctr/AES_CTR_\1/; s/^aes([0-9]+)-/AES_CBC_\1-/; s/_g/_G/; s/_c/_C/; s/^chacha/CHACHA/; s/poly/_POLY/
    s/-sha256/\/HMAC_SHA2_256_128/; s/-sha384/\/HMAC_SHA2_384_192/; s/-sha512/\/HMAC_SHA2_512_256/; s/-aesxcbc/\/AES_XCBC_96/; s/-aescmac/\/AES_CMAC_96/' <<<"$1"
}

each_suite() {
  rm -rf "$STATE/keys"; mkdir -p "$STATE/keys"
  capture_start || return 1
  while read -r OUR_IKE OUR_ESP <&3; do
    scenario_connect && ping_both_ways && ping_sizes && iperf_both_ways '-n 1M' && swan_log "$SWAN_SIDE" "selected proposal: ESP:$(suite_in_log "${OUR_ESP%-ecp384}")/" &&
      scenario_delete || { say "  with $OUR_IKE and $OUR_ESP"; return 1; }
    keep_keys
  done 3< <(paste -d' ' <(ike_suites) <(esp_suites))
  capture_stop
  [ -n "$REFERENCE" ] || tshark_reads_all "$STATE/keys"
}
# Our end writes its key tables anew each time that it comes.
keep_keys() {
  local table
  [ -n "$REFERENCE" ] || for table in esp_sa ikev2_decryption_table; do
    [ ! -s "$STATE/ours/keys/$table" ] || cat "$STATE/ours/keys/$table" >>"$STATE/keys/$table"
  done
}
