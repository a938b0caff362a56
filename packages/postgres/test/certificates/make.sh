#!/usr/bin/env bash
# Makes the certificates of the tests of TLS anew, into this folder. They are for tests alone: their keys are public.
# They are kept beside the tests because Node cannot make any, and openssl is not on every machine.
#
#     root ─ intermediate ─┬ server          localhost and 127.0.0.1
#                          ├ expired         the same names, until 2001
#                          ├ early           the same names, from 2099 on
#                          ├ elsewhere       of another host
#                          └ client          of the user `certified`
#     self-signed                            localhost and 127.0.0.1
#
# What a server presents has one key, server.key. The keys of the two authorities are not kept: nothing more can be signed.
# All others are valid from 2000 to 2100, whatever the clock of a machine says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -f -- *.pem *.key
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

# name, subject, key, issuer, years (the first, and that behind the last), extensions
sign() {
  printf '%s\n' '[ca]' 'default_ca = it' '[it]' "new_certs_dir = $work" "database = $work/index" \
    "serial = $work/serial" 'default_md = sha256' 'policy = any' 'unique_subject = no' 'email_in_dn = no' \
    '[any]' 'commonName = supplied' '[extensions]' "${@:6}" > "$work/conf"
  : > "$work/index"
  printf '%016x\n' $((RANDOM * 32768 * 32768 + RANDOM * 32768 + RANDOM + 1)) > "$work/serial"
  openssl req -new -key "$3" -subj "/CN=$2" -out "$work/request"
  local by=(-cert "$4.pem" -keyfile "$work/$4.key")
  [ "$4" = itself ] && by=(-selfsign -keyfile "$3")
  openssl ca -batch -notext -config "$work/conf" -extensions extensions -in "$work/request" -out "$1.pem" \
    -startdate "${5%-*}0101000000Z" -enddate "${5#*-}0101000000Z" "${by[@]}" 2> "$work/log" || { cat "$work/log"; exit 1; }
}

ALWAYS=2000-2100
NAMES='subjectAltName = DNS:localhost, IP:127.0.0.1'
AUTHORITY=('basicConstraints = critical, CA:true' 'keyUsage = critical, keyCertSign')
LEAF='basicConstraints = critical, CA:false'

for name in "$work/root" "$work/intermediate" server client; do key "$name.key"; done
sign root 'StreamWeld test root' "$work/root.key" itself $ALWAYS "${AUTHORITY[@]}"
sign intermediate 'StreamWeld test intermediate' "$work/intermediate.key" root $ALWAYS "${AUTHORITY[@]}"
sign server localhost server.key intermediate $ALWAYS "$LEAF" "$NAMES"
sign expired localhost server.key intermediate 2000-2001 "$LEAF" "$NAMES"
sign early localhost server.key intermediate 2099-2100 "$LEAF" "$NAMES"
sign elsewhere elsewhere.example server.key intermediate $ALWAYS "$LEAF" 'subjectAltName = DNS:elsewhere.example'
sign self-signed localhost server.key itself $ALWAYS "$LEAF" "$NAMES"
sign client certified client.key intermediate $ALWAYS "$LEAF"
chmod 644 -- *.pem *.key
