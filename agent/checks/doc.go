// Package checks decides whether new processes are healthy enough to serve: it
// reads CHECKS and the healthchecks of app.json, and gates a deploy on them.
//
// # A WAIT is a budget, not a sleep
//
// Dokku 0.3.26 sleeps WAIT seconds before each attempt. Here WAIT x ATTEMPTS is a
// budget: probing starts at once, repeats after 5 ms growing to 250 ms, and ends
// with the budget. An attempt is a window of WAIT seconds, which is printed once.
// All checks of all processes run side by side and share the windows. A request
// that is in flight when the budget ends keeps its own TIMEOUT, so that a slow
// first answer still counts. An initialDelay adds to the budget and delays nothing
// but commands, which may have effects. Commands start with a back-off of 250 ms.
//
// The budget of a check is at most the server's max-budget, an hour: a push holds the
// app's lock for as long. WAIT=120 ATTEMPTS=10 is a file that people have. TIMEOUT is not
// part of the budget.
//
// # Where requests go
//
// A connection is only ever opened to the process's own address. The host and the
// port of a check's URL are sent as the Host header, and redirects are followed by
// asking the same process again; one to a host that is neither the check's nor
// the app's fails. One to https on the same host is asked in plain text with
// X-Forwarded-Proto: https, as the process sees it behind a proxy that ends TLS. Proxies of the environment are not used, cookies are not kept, every
// request has a connection of its own, and of an answer no more is read than the
// expected text needs.
//
// # A process that ends
//
// A process that exits, restarts or runs out of memory while the gate is open
// fails it at once, even if its checks have passed. The gate looks at every process
// once more after the last check has passed.
//
// # Templates
//
// Dokku fills in CHECKS by sigil, with the app's variables. Here text/template does, with
// var and default and no other function of sigil's: what is left cannot run for long, read a
// file or a command, or ask another server. A file that is no such template is taken as it
// stands, with a warning, so that a text with braces that was a check yesterday is one today.
// Rejected: an error, which would keep a release of an older version from being restarted;
// sigil itself, whose functions do all of that on the host.
//
// # Which checks
//
// CHECKS is for web only, and replaces app.json's startup healthchecks for web, as in
// Dokku 0.38. A type without either has the default check: web has to accept a connection
// within listen-timeout, others have to stay up for uptime. The image's HEALTHCHECK is
// one more check of web.
//
// Dokku accepts a web process that stays up without listening. Here a version that does
// not serve never replaces one that does: the push is rejected with the ports on which
// the process does listen. require-listening=false brings Dokku's way back for an app.
//
// A process that is not web has to stay up for the whole uptime at every deploy, also if
// its command did not change since it last ran well: the image, the config and the
// services that it needs may have changed. It costs no gap, since the old processes
// run meanwhile.
//
// A check that names no host asks for the app's first domain, as in Dokku since March
// 2025: many frameworks answer 400 to other hosts.
//
// # Finding the port
//
// An image that exposes no port may listen on any. FindPort takes the one other port that
// a first version listens on, after the default wait: a debugger or a metrics server may
// listen before the app does. Where a version serves already, nothing is guessed.
//
// onFailure.command of app.json runs inside the container whose check failed.
// onFailure.url is not called: an address that a pusher chooses, and that the host
// reaches, may be none that the pusher could reach.
//
// # Dependencies
//
// The gate knows no engine. It asks an Observer for the state of a process and an
// Execer to run a command; the caller adapts its engine to both. A File knows no
// settings: it is parsed once for a release, and Over merges it with the settings of
// the moment and checks the budget. Parsing with the settings was rejected: a changed
// setting would need the text of the file again.
package checks
