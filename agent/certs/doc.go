// Package certs reads, checks and makes the certificates of apps.
//
// What an admin gives is often not what nginx needs: the chain is in another order, the
// root is in it, the key belongs to another certificate, the files are swapped. Parse
// mends what has one meaning, and says so; all else is refused with the reason, because
// nginx would refuse the whole configuration for it, that of all apps.
//
// nginx gets what Parse returns and never the given files: PEM blocks without the text
// that openssl writes around them, the leaf first. The root is left out, since a browser
// has it or does not trust it (RFC 8446, section 4.4.2).
//
// A certificate that no browser trusts is accepted: those of a company's own CA and
// self-signed ones have their use. Reports say it.
//
// The names of a certificate are those in its subjectAltName; browsers do not read the
// common name any more (RFC 9110, section 4.3.4).
package certs
