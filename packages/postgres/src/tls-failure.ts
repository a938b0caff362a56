/** What keeps a TLS connection from being made, in words that say what to do. None of it passes by being tried again. */

const UNKNOWN_AUTHORITY =
  "the server's certificate comes from no authority that is trusted here. Give the authority's certificate as ssl.ca, " +
  'as PEM and not as a path, or its file as sslrootcert in the URL';
const UNREADABLE =
  'ssl.ca, ssl.cert or ssl.key is no PEM, needs a passphrase, or they do not belong together';

/** By the code that Node gives. */
const BY_CODE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the server signed its certificate itself. Give that certificate as ssl.ca, as PEM and not as a path, or its file ' +
    'as sslrootcert in the URL',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the server's certificate is for another host. Connect by a name that is in it; where host is an address, the name " +
    'may be given as ssl.servername',
  CERT_HAS_EXPIRED:
    "the server's certificate, or one behind it, has expired. Renew it there, or check the clock here",
  CERT_NOT_YET_VALID:
    "the server's certificate, or one behind it, is not valid yet. Check the clocks here and there",
};

/** By what is said, where the code is none or one of many: the first that fits. */
const BY_WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /server does not support SSL/,
    'the server does not speak TLS, which over a Unix socket it never does. Turn it on there, or leave ssl and sslmode away',
  ],
  [
    /alert[ _](unknown[ _]ca|[\w ]*certificate)/i,
    'the server does not take the certificate of this client. Check ssl.cert, with what leads to an authority that the server knows',
  ],
  [/^ERR_OSSL_/, UNREADABLE],
  [/SSL|TLS|certificate/i, 'TLS could not be agreed on. Check the ssl options'],
];

/** The words, if it is TLS that failed. Neither a key nor what the other side said is in them. */
export function tlsFailure(code: string, message: string): string | undefined {
  return BY_CODE[code] ?? BY_WORDS.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1];
}

/** Likewise where the server refuses a user for how the connection was made; it says so under several codes. */
export function tlsRefusal(message: string): string | undefined {
  if (/no encryption|SSL off|SSL (connection is )?required/i.test(message)) {
    return 'the server lets nobody like this in without TLS. Give ssl, or sslmode in the URL';
  }
  if (/client certificate|certificate authentication/i.test(message)) {
    return 'the server asks for a certificate that proves who the user is. Give ssl.cert and ssl.key, or sslcert and sslkey in the URL';
  }
  return undefined;
}
