// Package cli turns a command line into the call of a command: global flags, the app,
// words and flags, help and completion. It has the forms that many commands share:
// reports, properties, and errors with their exit codes. It may import the package agent
// and all layers below, and no group of commands.
//
// # Decisions
//
// A Spec describes a command. Its usage line is the only source of its help and of the
// check of its words. The whole command line is checked before the command runs: the
// words against the usage line, the app, each value. Then the command calls the agent;
// only the agent's operations write. So a refused command line leaves no trace, not even
// a lock file. Of a command that got further and may have changed something, an event tells who
// ran it (record). Which commands these are follows from their names, so that a new command is
// recorded unless its verb is one that only reads.
//
// A command line builds only the cobra command that it needs. Help, completion and
// unknown words build the whole tree.
//
// Messages are the interface. Steps and warnings of operations go through event.Log, so
// that the host's log has them too. Data (tables, reports, values) is written to stdout
// directly, also with --quiet. Headings are printed unless --quiet or DOKKU_QUIET_OUTPUT
// leaves them out, also where nobody looks: clients of Dokku skip the first line. Text that an app has written is made printable before it is shown.
//
// What Dokku has and is missing here is refused by name, with what to do instead: commands
// (elsewhere), properties (Property.Instead) and flags (Spec.Elsewhere). A script that moves says at once which line
// to change. Unsetting such a property succeeds, since it is unset.
//
// Properties of a component that is not here (another proxy or builder, vector) are stored,
// where Dokku too stores them without effect until the component is selected or started:
// Property.Inert. Declared states of Ansible, docket or Terraform name them for servers that
// do not use them, and would fail as a whole. Setting one says on standard error that it has
// no effect. What selects or starts the component is refused by name, so nobody who relies on
// it takes the one for the other. A property that would be used at once is refused too
// (letsencrypt:set lego-args): its effect would be missed much later. Dokku masks passwords
// among them in text and prints them in JSON, and so does this: the program has no use for
// them, and clients compare what they read with what they set.
//
// A value may begin with a hyphen (Spec.Hyphens): nobody quotes the words of a :set.
//
// Reports are read by programs. pydokku makes an object of the rows of some, and fails at a
// row that Dokku 0.35 lacks: text leaves these out until they have a value (Reporter.Own).
// JSON has all values, since its readers look for the keys that they know. For the same reason
// text leaves out Reporter.Aside, and shows Reporter.Filled in the place of what is unset.
//
// A message for a missing word is followed by the usage, unless scripts compare it with
// Dokku's (Spec.MissingAlone).
//
// # Roles
//
// Every Spec declares what a key needs for it (Role). On the host itself, root and the user dokku may do
// everything: both could read the files and ask the engine anyway. Over ssh, the rights are the words of the forced
// command (package keys), and a client without any may do nothing. bind asks twice: for the role and the
// flags before anything is read (authorize), and for the app once it is known (within). A command that is
// neither about an app of the key nor about a service of it nor shows by itself only what is the key's (Scoped) is
// refused to all but admins, so a new command that forgets to ask gives nothing away. An app of others and one that
// does not exist get the same answer. Completions are for admins: they show apps, config and services.
// Where the line is drawn:
//
//   - Anybody: what tells about this program, and apps:list, which shows the key's own apps.
//   - Deployer: what a push shows anyway. The push itself runs code in the app's containers, so logs, states and
//     lists of deploys give nothing that the code could not print. Values of the config are different: the code has them,
//     but whoever reads them by a command leaves no commit. They need --config (Values).
//   - Operator: everything of the app. run and enter give the rights of the app's code, which its pushes have too. What
//     an app shares with others needs an admin: mounts and docker options with folders, volumes, devices and
//     capabilities (another app's data, the host); networks that others join; files, addresses and logs of nginx
//     (NAME:set's Property.Admin); images of the server (git:from-image may name another app's,
//     git:load-image may replace it); the registry that all push to; builder images; the CA's address, since the agent
//     asks it. So does what takes more of the server than it gives by itself (Property.Bounded). What this server asks for
//     an operator is of the public internet, or a host that an admin allowed (package remote). Places of backups are the server's. Ports of the host are given to operators, as Dokku's users
//     expect: nginx refuses one that is taken.
//   - Services: an operator uses those that acl:add-service gives it. To make, expose, upgrade, restore or destroy one is an
//     admin's, since images, ports and volumes are the server's.
//   - Admin: --global, --all, the keys, the server, backups, the swarm, front doors, plugins. A backup has
//     everybody's secrets, and a restore runs images.
//
// Commands that name several apps ask for each (Others). One that is about all apps if none is named is refused
// without a name, except reports and lists, which then show the key's own. Names that visitors reach apps by are
// reserved (agent.Server.Reserved): an admin is warned instead, since a wildcard above an app may be meant.
// --force instead was rejected: it is what scripts give to everything.
package cli
