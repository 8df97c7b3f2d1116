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
// The budget is at most 10 minutes for each check: a push holds the app's lock for
// as long. TIMEOUT is not part of it; WAIT=10 TIMEOUT=120 ATTEMPTS=10 is a file
// that people have.
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
// # Which checks
//
// Startup healthchecks of app.json win over CHECKS for their process type; CHECKS
// is for web only. A type without either has the default check: web has to accept
// a connection (one that does not but stays up is accepted with a warning, as
// Dokku does), others have to stay up.
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
