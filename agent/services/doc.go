// Package services runs databases and other services beside the apps: kinds, records,
// containers, data. It knows neither apps nor commands; package agent links services to
// apps, command/services has the commands.
//
// It imports app, certs, engine, event, store and build/registry.
//
// # Kinds
//
// A kind (postgres, redis, ...) is a file of data, embedded from the folder kinds or read
// from DOKKU_ROOT/.dokku/services.d, whose folder only the owner of DOKKU_ROOT can change:
// a kind decides which image and which commands run. There is one engine for all kinds and
// no code of one. The format is TOML, whose parser the program has anyway, and which has
// texts of several lines. Texts have placeholders in braces, of a fixed list; nothing else
// is evaluated.
//
// # How a service runs
//
//   - The record (service.json, mode 0600) says how it should run; what runs is observed.
//     A service is an owner of containers as an app is, with a name that no app can have
//     ("_postgres.db"): the engine needs nothing new for its network, labels and removal.
//   - The container has the name, host name and aliases of Dokku's plugins. Its network is
//     its own; the containers of linked apps join it, so apps that share no service still
//     cannot reach each other.
//   - Data are in named volumes of the engine, one for each change that makes new data.
//     Rejected: a folder below the data root. Images give their data to users of their own,
//     so this program, a plain user, could neither measure nor remove it; and an app could
//     mount it.
//   - The restart policy is unless-stopped. With Dokku's "always", a reboot would bring
//     back what somebody has paused.
//   - Passwords go to commands in variables: the list of processes shows arguments to every
//     user of the host. A redis server reads its own from standard input.
//   - A service is ready when a command of its kind succeeds at an address of the network,
//     since images listen on a socket alone while they set their data up. Dokku's plugins
//     wait for a port.
//   - Ports of the host are bound by the engine, so the container is replaced when they
//     change, and the service is away for seconds. Rejected: Dokku's ambassador container,
//     which needs one more image and one more process that can fail; a forwarder in the
//     agent, whose restart would cut the connections.
//   - A postgres server gets a certificate of its own, as with Dokku: many apps ask for TLS.
//
// # Nothing is lost
//
//   - An operation first writes into the record what it is about to do. A new service is
//     Creating until it is ready and has its data, and then goes on with one rename.
//     A change of the container keeps the former one in the record (Former) until the new
//     one is ready. A volume is named by the record before it exists, and after it is of no
//     use until it is gone (Unneeded).
//   - Whoever takes the lock next, a command or the agent, undoes what a killed holder left
//     (settle). Undoing and removing can be repeated.
//   - The data of another major version are refused before anything is stopped, unless the
//     kind's servers read them. The way is clone --image-version, which leaves the old
//     service as it is.
//   - An import is atomic where the kind's tool can be: postgres loads in one transaction,
//     which Dokku's plugin does not; redis starts with a new volume, and the old one stays
//     until it has. The others load statements, and the record says so (Importing) until an
//     import ends well.
//   - A service of another server is made with its data, and is there only if the kind's count
//     is what it was there (Adopt). Refill loads into an empty one; over data only if asked.
//   - A dump that cannot be read to its end is an error, whatever the loading command says: it
//     sees an end of its input, and may take that for the end of the dump.
//   - A dump is proven by loading it into a throwaway service, which is one that never gets
//     out of the phase Creating: a kill leaves nothing of it (Prove).
//   - Networks of apps that are being stopped may keep a removed service's network for a
//     minute. The record stays in the phase Destroying for that long, and hinders no new
//     service of the name.
package services
