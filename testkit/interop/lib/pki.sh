# The test PKI in $PKI, made once with openssl. Sourced, not run.
#
#   ca/  root and inter (RSA-3072), other (nobody trusts it)
#   gw/  gw-rsa gw-p256 gw-big (RSA-4096 and many names) gw-revoked gw-expired gw-untrusted
#   cl/  rsa p256 big revoked: the e-mail address NAME@lab.test in the subject alternative names
#   crl/ root.crl inter.crl
# For each NAME: NAME.crt, NAME.key (PKCS#8) and NAME.pem, the certificate followed by the intermediate's.

pki_make() {
  # One that an older version of this file made is made anew.
  local made; made=$(cksum <"${BASH_SOURCE[0]}")
  [ "$(cat "$PKI/.done" 2>/dev/null)" = "$made" ] && return 0
  rm -rf "$PKI"; mkdir -p "$PKI"/{ca,gw,cl,crl,db}
  (set -e; cd "$PKI"; pki_config; pki_issue_all) >"$STATE/pki.log" 2>&1 || die "no PKI, see $STATE/pki.log"
  echo "$made" >"$PKI/.done"
}

pki_config() {
  cat >openssl.cnf <<'C'
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[inter]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[gw]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, 1.3.6.1.5.5.8.2.2
subjectAltName = $ENV::SAN
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://127.0.0.1:8880/crl/inter.crl
[cl]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = $ENV::SAN
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://127.0.0.1:8880/crl/inter.crl
[crl]
authorityKeyIdentifier = keyid
[policy]
commonName = supplied
organizationName = optional
countryName = optional
C
  local ca
  for ca in root inter other; do
    cat >>openssl.cnf <<C
[ca_$ca]
database = db/$ca.txt
crlnumber = db/$ca.crlnumber
new_certs_dir = db
certificate = ca/$ca.crt
private_key = ca/$ca.key
default_md = sha256
default_days = 3650
default_crl_days = 3650
crl_extensions = crl
policy = policy
unique_subject = no
rand_serial = yes
C
    : >"db/$ca.txt"; echo 01 >"db/$ca.crlnumber"
  done
}

pki_key() { # FILE rsa2048|rsa3072|rsa4096|p256
  case $2 in
    rsa*) openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}" -out "$1" 2>/dev/null ||
      openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}" -out "$1" ;;
    p256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" ;;
  esac
}

pki_root() { # NAME ALGORITHM COMMON-NAME
  pki_key "ca/$1.key" "$2"
  SAN=DNS:unused openssl req -new -x509 -config openssl.cnf -extensions root -key "ca/$1.key" -subj "/C=CH/O=Lab/CN=$3" -days 3650 -sha256 -out "ca/$1.crt"
}

pki_issue() { # CA DIR NAME ALGORITHM EXTENSIONS COMMON-NAME SAN [openssl-ca-argument...]
  local ca=$1 dir=$2 name=$3 algorithm=$4 extensions=$5 cn=$6; export SAN=$7; shift 7
  pki_key "$dir/$name.key" "$algorithm"
  openssl req -new -config openssl.cnf -key "$dir/$name.key" -subj "/C=CH/O=Lab/CN=$cn" -out "db/$name.csr"
  openssl ca -batch -config openssl.cnf -name "ca_$ca" -extensions "$extensions" -in "db/$name.csr" -notext -out "$dir/$name.crt" "$@"
  [ "$dir" = ca ] || cat "$dir/$name.crt" ca/inter.crt >"$dir/$name.pem"
}

pki_issue_all() {
  pki_root root rsa3072 'Lab Root CA'
  pki_root other p256 'Untrusted Root CA'
  pki_issue root ca inter rsa3072 inter 'Lab Intermediate CA' DNS:unused
  local san="DNS:gw.lab.test,IP:$IP_GW" names name
  names=$(seq -f 'DNS:alias-%03g.gw.lab.test' -s, 1 100)
  pki_issue inter gw gw-rsa rsa2048 gw gw.lab.test "$san"
  pki_issue inter gw gw-p256 p256 gw gw.lab.test "$san"
  pki_issue inter gw gw-big rsa4096 gw gw.lab.test "$san,$names"
  pki_issue inter gw gw-revoked p256 gw gw.lab.test "$san"
  pki_issue inter gw gw-expired p256 gw gw.lab.test "$san" -startdate 20200101000000Z -enddate 20210101000000Z
  pki_issue other gw gw-untrusted p256 gw gw.lab.test "$san"
  pki_issue inter cl rsa rsa2048 cl rsa@lab.test email:rsa@lab.test
  pki_issue inter cl p256 p256 cl p256@lab.test email:p256@lab.test
  pki_issue inter cl big rsa4096 cl big@lab.test "email:big@lab.test,$names"
  pki_issue inter cl revoked p256 cl revoked@lab.test email:revoked@lab.test
  for name in gw/gw-revoked cl/revoked; do
    openssl ca -batch -config openssl.cnf -name ca_inter -revoke "$name.crt" -crl_reason keyCompromise
  done
  for name in root inter; do
    openssl ca -batch -config openssl.cnf -name "ca_$name" -gencrl -out "crl/$name.pem"
    openssl crl -in "crl/$name.pem" -outform DER -out "crl/$name.crl"
  done
}
