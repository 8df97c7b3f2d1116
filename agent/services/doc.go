// Package services runs databases and other services beside the apps: kinds, records,
// containers, data. It knows neither apps nor commands; package agent links services to
// apps, command/services has the commands.
//
// It imports app, certs, engine, event, store, text and build/registry.
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
//   - The container of a new service has the rights and the limit of processes of isolated apps. One
//     of an older version keeps what it has, until isolate gives it another container; its image or
//     an option may need more. Rejected: to switch with the next upgrade, which would fail for a
//     reason that nobody looks for there.
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
//   - A service's data are never started with a version that may not read them; see below.
//   - Networks of apps that are being stopped may keep a removed service's network for a
//     minute. The record stays in the phase Destroying for that long, and hinders no new
//     service of the name.
//
// # Another major version
//
// The kind says how many numbers of a version name the format of its data. Where it changes,
// upgrade dumps the data and loads them into a new volume; else it replaces the container. An
// older version is refused: it reads neither the data nor a dump of them. Rejected: an upgrade in
// place by the servers' own tools (pg_upgrade, mariadb-upgrade). They need the programs of both
// versions in one image, and the old data are gone if the new server fails later.
//
//   - The new server sets itself up beside the service, which goes on. Most mistakes (an image
//     that does not start, options that it does not know) show here, and cost nothing.
//   - Then the service stops. Its data are dumped from a container of the same image that has
//     another name, no port of the host, and a network of its own: even an app that remembers the
//     former address reaches nothing that it could write to. So no write is lost between dump and
//     switch. Rejected: to leave the service readable; few programs expect that of their
//     database, and no kind of server has a switch for it that survives every client.
//   - Apps stay up, with errors, as in a restart of the database, unless --restart-apps stops
//     them. They need no restart afterwards: name, password and database are the same. The record
//     lists the stopped ones, and the agent starts them if the command was killed.
//   - The dump has all that the server has, not the service's database alone: roles, rights,
//     other databases. For postgres and the mysql family, the programs of the new version make it,
//     as PostgreSQL advises. What no dump has, such as ALTER SYSTEM and pg_hba.conf, stays behind.
//   - Both servers list what they have: users, tables with their rows, sequences, and so on. Unless
//     the lists are the same, the upgrade is undone. So what a kind's dump leaves out (users of
//     mongo, for example) stops an upgrade and is not lost.
//   - One rename of the record decides, while neither server runs. Before it, a kill or a failure
//     brings the old container back; after it, the agent goes on with the new one. The new server
//     gets its name after the rename, so nothing that an app writes there is ever undone.
//   - The old volume stays (Previous) until --forget. --back exchanges the two, so it undoes
//     itself. There is one such volume: another upgrade with a copy asks for --forget first.
//   - The copy needs the room of the data a second time, which is looked at before anything stops.
//     While it runs, it ends as soon as the disk has less than 1 GB left, and its volume goes.
package services
