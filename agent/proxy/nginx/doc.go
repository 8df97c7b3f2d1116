// Package nginx publishes routes through the nginx of the host.
//
// # Files
//
// A configuration is a whole folder, trees/<generation>, with one file for each
// app and one that all apps share. Unchanged files are hard links. The symbolic
// links live and staged name two of these folders, and nginx includes
// live/*.conf. So publishing several files is one rename, the tree that goes live
// is the tree that was tested, and the way back is the previous tree. A route of processes on
// a swarm is staged before they have addresses; it goes live with others, untested, if the tree
// is the same otherwise: a test takes 50 ms at the end of each push.
//
// Rejected: renaming files inside one folder, because a crash between two renames
// leaves a mixture that nobody tested; exchanging two folders (renameat2), because
// some file systems lack it.
//
// An app's file carries its route as JSON in a comment, split over lines since nginx
// reads a comment into 4,096 bytes. Live, the shared file and
// the check for domains that two apps claim read it from there: nginx only warns
// of a name that is given twice, and ignores the second. An app's file that cannot
// be read back is kept, since nginx may understand it, and that app is not live.
//
// A file that would be written in another way today is outdated: after an update, or a
// change of Config. Live says so, and the next change of any app writes all outdated
// files anew: one tree, one reload, and no process is touched. If nginx refuses that,
// because an admin's included file has a directive that is new in ours, the others stay
// as they are, and only the app with that file reports the error.
//
// Rejected: a number of the format in each file, because somebody has to remember to
// raise it; writing anew only at each app's own deploy, because a change of the trusted
// proxies has to take effect everywhere.
//
// # Which generation serves
//
// The name of a tree is a random word, the generation. nginx tells it to this host
// under dokku-generation.invalid, on the port of all apps. Each call asks for it
// first. If nginx does not serve the tree that live names, an earlier call was cut
// short, and the call starts from the tree that serves. Live reads that tree too.
//
// Rejected: counting up, because the count starts again when somebody removes the
// folder, and old workers then seem to serve the new tree; a unix socket, because
// nginx leaves it behind when it is killed, and then refuses to start.
//
// # Proof
//
// nginx reloads in the background. Its master waits 100 ms between starting new
// workers and telling the old ones to stop, and either may accept a connection
// meanwhile. A few answers of the new generation therefore prove nothing. Publish
// lists the workers before the reload, and returns when all of them have stopped
// accepting (a worker then changes its title) and a fresh connection is answered
// by the new generation. Where /proc hides other users' processes, 400 ms of
// nothing but new answers have to do.
//
// Publish does not wait for these 100 ms: [ReloadScript] sends the old workers the same signal
// as soon as the new ones accept, and nginx's own comes on top. What waits in the sockets' queue
// is accepted by the new ones. If an old worker ends before its master looks, the master does
// not replace it, since it notes who has to end before it learns who did
// (ngx_signal_worker_processes). If the new workers were only replacements of crashed ones, the
// master replaces those that were told to stop. Publish takes 65 ms instead of 155.
// Rejected: both processes in nginx's files and a file of the host that says which one serves,
// because nginx then looks for the file at each request, and reloads twice for each deploy.
//
// The reload itself tests nothing. An admin's included file may have changed since the test;
// nginx then keeps what it serves and says why only in its log. So Publish tests once more
// after a third of its patience. Rejected: a test beside each reload, which reads the
// same files at the same time as nginx does, and doubles the time on one core.
//
// # Calls at the same time
//
// All calls take turns under one lock. One that finds it held leaves its change as a file in
// the folder waiting. The next holder carries out all of them with its own, in one tree, one
// test, one reload and one proof: the certificates of 50 apps take 2 reloads instead of 50.
// The state of a change is the end of its file's name, so each step is one rename:
//
//   - wanted: its call waits. It may take the change back (a client that goes away), by
//     removing the file.
//   - taken: nginx is about to be told. A call cannot take that back, as if it had
//     told nginx itself.
//   - done: the call returns, without the lock.
//   - alone: the whole failed. Each call carries out its own change, so that a bad one
//     fails no other, and finds its own error.
//
// A call holds a lock of its own on its file as long as it waits. If that lock is free, the
// process is dead: its change is left out, and the file removed. Nobody waits for a
// file's state without waiting for the common lock too, so a holder that is killed delays
// nobody: each call whose change is not done carries it out, and finds what is live
// already. The files are not synced, since nobody waits after a loss of power.
//
// A file has the hash of what its process would write. A holder of another version, or with
// other settings, leaves it for its own turn. Refresh and a route that replaces another
// app's go alone.
//
// Rejected: a process for all changes, which would have to run and could fail; a pause that
// collects changes before a reload, since a push would wait for nothing; results with error
// texts in the files, since a second, lone attempt gives the same error and is rare.
//
// # Many certificates
//
// For each certificate, OpenSSL 3.0 takes 0.85 ms in each test and each reload: 0.45 ms for the key,
// 0.2 ms for the certificate and 0.2 ms for the server's context. With 1,000 of them this
// is more than all the rest. The form of the key (PKCS #8 or SEC 1) makes no difference, nor
// does one pair for all servers. So a test reads what nginx serves already from one file:
// names, ports and upstreams of the apps, which a new file could contradict, and the
// whole of an app, without TLS, that has files of an admin's, which may have changed. All other
// files have been proven, and a certificate's folder has the hash of its content as
// name and never changes. If one is damaged nevertheless, nginx refuses the reload, and
// the second test, of everything, names the file. Where the quick test fails, everything
// is tested: an admin's file may have a listen directive for TLS.
//
// The reload has to read them all; nginx serves its old configuration meanwhile. A server with
// its locations costs nginx half as much as a certificate, so plain and TLS requests
// for the same processes have one server, and nginx's own pages one location in it.
//
// With 1,000 apps, on two cores at rest, a test takes 0.2 s and a reload with its proof 1.6 s.
// With a server for each port, a location for each page and a test of everything but
// certificates, they took 1.05 and 2.2 s. A test of everything takes 1.25 s.
//
// Rejected: variables in ssl_certificate, by which workers read a pair when they need it,
// since workers do not run as root and could then read all keys.
//
// # No request lost
//
//   - Connections to a web process are not kept for later requests. nginx may send
//     a request into a connection that the process is just closing (Node.js closes
//     after 5 s), and a request that must not be sent twice then fails.
//   - A request goes to a second process when the first one cannot be reached, or
//     dies before it answers; one that is not idempotent only if no byte of it was
//     sent. Only once, since a request that kills its process must not kill them
//     all, and only in the first 10 s, so that slow requests are not run again.
//   - No process is put aside because of a failure (max_fails=0): with all put
//     aside, nginx answers 502 even if they are back. The agent takes dead ones out.
//   - A process on another machine (Route.Elsewhere) is the exception: a machine that is gone
//     refuses nothing, and each request to it would wait for its connection. That may take 1 s,
//     then the request goes to another process, whatever its method, since nothing of it was
//     sent. After one failure, nginx leaves a process out for 10 s (its own defaults, shared by
//     the workers in a zone), until the agent has taken it out of the route. If nobody does, as at
//     a front door whose server has died, one request in 10 s waits. Before, each worker forgot
//     after 1 s, and at a few requests a second one in 15 waited. A machine that is back gets
//     requests after 10 s. With all aside, nginx would answer 502: so there is a second list, of
//     backups, of which none is ever put aside, and requests that kill their processes shift load
//     for 10 s and refuse nobody. A single process has neither. Rejected: more than one failure,
//     for each of which a visitor waits; a longer pause, for which one process more would be busy
//     after each short fault of the network.
//     There a request goes to a third process, too: two machines may be gone at the same time.
//     If they are two of three managers, nobody can tell the agent what is gone, and with two
//     tries a third of the requests would fail until one is back.
//   - nginx is reloaded only when something changed: a reload closes idle
//     connections of clients.
//   - Clients that hold a connection to an old worker (WebSockets) keep that worker
//     until they leave. worker_shutdown_timeout could end them, but belongs in the
//     main part of nginx.conf, which is the admin's.
//
// # What a client says about itself
//
// X-Forwarded-For, -Proto, -Port and -Ssl reach an app as nginx sees the connection. What
// the client sent in them counts only if its address is one of Config.Trusted. The
// variables for this stand once, in the shared file; the client's address is made out
// of the chain in each app's server block, so that other sites of this nginx are not
// changed. Other headers of this kind, such as X-Forwarded-Host and Forwarded, pass as they
// came, as in Dokku. Without trusted proxies, an app's file has nginx's own variables of the
// port and the scheme, as Dokku's has, which have the same values then. Dokku's properties for the four headers take values of a closed
// list, and then believe everybody.
//
// # Challenges of a CA
//
// An answer to a challenge by HTTP-01 (RFC 8555, 8.3) is the token in the URL and the
// thumbprint of the account's key. The route has the thumbprint, so nginx answers every
// token by itself. Only the holder of the account's key can use these answers. They are
// given while the app is stopped, and on the main port, where CAs ask, even if the app has
// only other ports.
//
// Rejected: files with the answers, because nginx's workers need access to them and a crash
// leaves them behind; a process that answers, as in Dokku's plugin, because it must be kept
// running. The answer is a condition at the top of the server, not a location: an admin's
// own location could duplicate it or take precedence, and a return or a rewrite in an
// admin's file would run first.
//
// # In front of an app
//
// A redirect of a domain is a condition of the server that has the name, after the answers
// to challenges and before everything else. Its source is a name of the route, so it has a
// certificate and answers challenges like the others. Rejected: a server for each, which
// costs nginx as much as an app.
//
// An app in maintenance has servers without its processes and without the admin's included
// files, whose locations would answer in their own way. Its own page is a file, with others
// that it names; nginx gives out those alone. Nobody is asked for a password then: a
// browser would ask for each image of the page.
//
// A password is asked for in the server, so that the admin's own locations are behind it
// too. An admin's file that does the same makes nginx refuse a directive that stands twice;
// the error names it. As in Dokku's plugin, an allowed address replaces the password, and is
// all that gets in where there are no users; the app gets the Authorization header. The
// condition that answers challenges runs before nginx asks. Where some names ask and others
// do not, each kind has a server of its own. Rejected: auth_basic with a variable by the
// name, since satisfy and deny take none. The host's own names and addresses always ask.
//
// nginx's workers read pages and lists of users when they need them, as another user than
// the agent's, which cannot enter its home. So the copies are in Config.Files, in folders
// that are named by a hash of their content, as certificates are. A list of users is
// readable for everybody who knows its name, since the agent cannot give a file to the
// workers' group; the name is a hash of salted hashes and stands only in the agent's own
// files, and nobody can list the folder. Rejected: a page in the configuration, where a
// text may have 4,096 bytes and a dollar sign cannot be written.
//
// # Addresses of the host
//
// An app that is bound to an address refuses requests to others by their $server_addr.
// A listen directive with an address was rejected: nginx then looks for a name only
// among the servers of that address, where all other apps and the proof of the
// generation would be missing, and cannot change from one form to the other in a reload.
//
// # Another server behind
//
// A route that is Onward leads to the nginx of another server, which has the same names. Each
// port is passed on to that server's port, so a port for TLS has a server block of its own, and
// asks over TLS with the visitor's name (SNI). The certificate there is not verified: it may be
// self-signed; see package doors.
//
// # An entrance
//
// The processes of a route with an Entrance are asked over TLS, with a client certificate, and
// their own one is verified. The certificate's file also has the authority's, so it names whom
// to trust. These directives stand in the server block, since an included file may ask the
// processes in locations of its own; its proxy_pass has to say https://APP-web then. Sessions
// are resumed.
//
// # Pages
//
// nginx answers for an app without processes (503) and for one that does not answer (502
// and 504), and for names that no app has (404). A server with a regular expression for all names,
// in a file that is read last, comes before the default server, so that a name that led
// to an app never leads to nginx's own welcome. This holds after apps:destroy and
// proxy:disable too, and for an app that was never deployed, which has no route.
// Config.DefaultSite leaves those names to the default server. Rejected: remembering
// the names that ever led to an app, which would be state that nobody cleans up.
//
// # Templates
//
// The files are text/template's, in the folder templates, in nginx's own order: app.conf and
// server.conf for an app, shared.conf and unknown.conf for all. A template names each
// directive; Go code has only what takes a decision (which servers there are, which names
// they have). Templates quote nothing: their data are routes from Route.Checked, and Config.
//
// Every change renders all apps to find outdated files. That takes 0.2 s for 1,000 apps with
// certificates, twice as long as a renderer of plain Go code took, and still
// less than nginx needs to read them.
//
// Each value that a template prints passes a filter, which [escaped] adds to every action of
// every template: it takes numbers, addresses and one word of nginx's syntax, and the type
// syntax for the few texts that are more than that, which this package alone makes, out of words.
// Anything else is an error, so a value that a check of Route.Checked forgot stops its route and adds
// no directive. Rejected: a renderer of root's that takes data. The attacker whom it would stop
// is the user dokku, who is root by the engine's socket; a pusher's text is stopped by the
// filter as well, and a second program with the same checks would have to be kept in step.
//
// # Limits
//
// One visitor must not take what all share: nginx's connections and the disk.
//
//   - A connection whose request has not come in full is counted by no directive of nginx. ConfD
//     gives headers 20 s (client_header_timeout of http: nginx does not know the app yet), and
//     install.sh gives a worker 8,192 connections instead of Debian's 768. How many connections one
//     address may open at all is the firewall's to say.
//   - limit-conn bounds the requests that an address has open at a server of an app, slow bodies and
//     slow readers among them: 2,048, of a worker's 8,192 connections. A load balancer or CDN in front is one
//     address unless it is a trusted proxy; then its visitors are counted. Where nobody says
//     that it is one, its WebSockets must still pass: two workers with Debian's 768 connections
//     could carry 768 of them. Over it, the answer is 429. Rejected: no limit by default, since a
//     request costs an attacker one packet; exceptions for private addresses, where the
//     containers of other apps are; a count over all apps, where the visitors of one app
//     use up those of another.
//   - limit-req is off by default: what a page asks for at once differs too much.
//   - An answer of which a client reads nothing takes 1 MiB of the disk (proxy-max-temp-file-size), the
//     buffer that Heroku's router has, not nginx's 1 GiB; then the process waits for the
//     client. A request takes client-max-body-size.
//
// The zone of limit-req has the app's name, so it stands in the app's file, and in the quick test's.
// limit_conn stands in the server, beside an admin's own; the status stands in the
// location, since nginx refuses a second one in the server.
//
// Rejected: worker_connections in a file of ours: a second events block is refused. install.sh
// replaces the distribution's number, keeps the file before, and leaves any other number
// to the admin, whom doctor tells.
//
// # Directives
//
// nginx refuses most directives that stand twice in one block. So a server block has
// only those that somebody asked for, or that were always there, and an admin's
// included files go on to work; the others stand in the location.
//
// # Requests for the host itself
//
// If there is only one app, it answers requests for an address of the host, its
// name or localhost. With none or several, the answer is a 404 that names no app.
// Debian's default site stays the default server of the port: a server with
// patterns for names comes before it. An app with the domain [proxy.CatchAll] answers
// in the place of all these.
//
// # Addresses over TLS
//
// A client that connects to https://192.0.2.7 names no server in the handshake, so nginx
// takes the default server of the port. That server refuses the handshake, unless an app
// has an IPv4 address as a domain with a certificate: then it presents this certificate,
// and the Host header leads to the app. Handshakes for names that no app has are still
// refused, by a server with a pattern in the file that is read last. Config.DefaultSite
// leaves them to the default server.
//
// With several addresses, all clients without a name get the certificate of the lowest
// address; by the others, browsers warn. One certificate for all addresses avoids that.
// Where an admin's own site is default_server of the port, its certificate is presented.
// Rejected: listen directives with addresses, see above; a certificate by variable, because
// nginx's workers would have to read the keys.
//
// # OCSP
//
// nginx staples the CA's word on a certificate that names a responder of a trusted CA, as
// far as the host has name servers. It asks through a server of its own on a loopback
// address, which looks up the responder's name when it is asked. Without that server, nginx
// would look up each responder when it reads its configuration: with name servers that do
// not answer, each app would delay every test, reload and start of nginx by 10 s. An
// admin's resolver in an app's files is no duplicate of ours either. An app whose files
// staple by themselves has no responder in its route.
//
// A certificate of an unknown CA is not asked about: its owner could name any address that
// this host can reach. Rejected: files with answers (ssl_stapling_file), because nginx goes
// on to staple one that has expired, which browsers refuse.
//
// # Other ports
//
// A route may have ports of the host beside the main one, each leading to a port
// of its processes. The first server that nginx reads for such a port knows no
// app, so a name that is not mapped there never reaches another app. An app that
// is alone on a port answers there by the host's address too.
//
// # Another name
//
// A route may replace another app's, for an app that is renamed. The tree that
// goes live has the one and lacks the other, so a domain that both have is
// answered at every moment.
//
// # Version
//
// Answers of an app and dokku's pages do not tell nginx's version. The directive stands in
// their locations: beside one of the server, which an included file may have, nginx would
// refuse another. So a redirect, which the server answers, still tells it. Rejected: to say
// it for all of nginx, which has sites of others.
//
// # Root
//
// The agent is not root. Two scripts without arguments are: [CheckScript] and
// [ReloadScript]. Everyone who can write nginx's configuration can say what root's nginx reads
// and logs, so the agent's user is trusted with the host in this too, as with the engine's socket;
// the scripts give it no more than that: they take programs from root's folders alone, and
// the owner of the staged files reads them, so that a link among them leads nowhere else.
//
// Nothing listens on the port of a fresh installation beside Dokku: nginx runs, and was not told
// of it. So a publish that finds nothing tells nginx first, and only if that fails is nginx down.
package nginx
