// Package proxy puts an app's web processes behind its names: one route for
// each app, staged while a push can still be rejected and published after it
// was accepted. [Nginx] is the implementation for hosts, [Memory] the one for
// tests; both pass the suite in proxytest.
//
// # Files
//
// A configuration is a whole folder, trees/<generation>, with one file for each
// app and one that all share; files that did not change are hard links. live
// and staged are symbolic links to such folders, and nginx includes live/*.conf.
// So a publication of several files is one rename, the tree that was tested is
// the very one that goes live, and the way back is the previous tree. Renaming
// files inside one folder was rejected: a crash between two renames leaves a
// mixture that nobody tested. So was exchanging two folders (renameat2), which
// some file systems lack.
//
// An app's file carries its route as JSON in a comment, from which Live, the
// check for domains that two apps claim and the shared file are made. nginx only
// warns of a name that is given twice, and ignores the second. An app's file
// that cannot be read back is kept, as nginx may understand it, and that app is
// not live.
//
// # Which generation serves
//
// The name of a tree is a random word, the generation, which nginx itself
// answers to this host under dokku-generation.invalid on the port of all others.
// Each call asks for it before it does anything: if what serves is not what live
// names, an earlier call was cut short, and the call starts from what serves.
// Live reads the tree that serves, not the one that was meant to. Counting up was
// rejected: a count starts again where somebody removes the folder, and then says
// that old workers serve the new tree. A unix socket was rejected: nginx that was
// killed leaves it behind and then refuses to start.
//
// # Proof
//
// nginx reloads in the background, and its master waits 100 ms between starting
// new workers and telling the old ones to stop, in which either may accept a
// connection. A few answers in a row of the new generation prove nothing then. So
// the workers are listed before the reload, and Publish returns when all of
// them have stopped accepting (a worker then changes its title) and a fresh
// connection is answered by the new generation. Where /proc hides other users'
// processes, 400 ms of nothing but new answers have to do. So a Publish that
// changes something takes a little more than nginx's 100 ms; no request waits.
//
// # No request lost
//
//   - Connections to a web process are not kept for later requests. nginx may
//     send a request into a connection that the process is just closing (Node.js
//     closes after 5 s), and one that must not be sent twice then fails.
//   - A request goes to a second process when the first one cannot be reached,
//     or dies before it answers; one that is not idempotent only if no byte of
//     it was sent. Only once, as a request that kills its process must not kill
//     them all, and only in the first 10 s, so that slow requests are not run
//     again.
//   - No process is put aside because of a failure (max_fails=0): with all put
//     aside, nginx answers 502 even if they are back. The agent takes the dead out.
//   - nginx is reloaded only when something changed: a reload closes idle
//     connections of clients.
//   - Clients that hold a connection to an old worker (WebSockets) keep that worker
//     until they leave. worker_shutdown_timeout could end them, but belongs into
//     the main part of nginx.conf, which is the admin's.
//
// # Requests for the host itself
//
// Requests for an address of the host, its name or localhost are answered by the
// app that is alone; with none or several, by 404 that names no app. Debian's
// default site is left alone, as the default server of the port: a server with
// patterns for names comes before it. The first server in our files knows no app
// either, in case there is no default server, as nginx then takes the first.
//
// # Other ports
//
// A route may have ports of the host beside the main one, each leading to a port
// of its processes. The first server that nginx reads for such a port knows no
// app, so that a name which is not mapped there reaches nobody else's app. An app
// that is alone on a port answers there by the host's address too.
//
// # Another name
//
// A route may replace another app's, for an app that is renamed: the tree that
// goes live has the one and lacks the other, so that a domain which both have
// is answered at every moment.
//
// # Root
//
// The agent is not root. Two scripts without arguments are: [CheckScript] and
// [ReloadScript]. Whoever can write nginx's configuration can read what root's
// nginx can; the scripts give the agent's user no more than that.
package proxy
