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
// (elsewhere) and properties (Property.Instead). A script that moves says at once which line
// to change. Unsetting such a property succeeds, since it is unset.
//
// Reports are read by programs. pydokku makes an object of the rows of some, and fails at a
// row that Dokku 0.35 lacks: text leaves these out until they have a value (Reporter.Own).
// JSON has all values, since its readers look for the keys that they know. For the same reason
// text leaves out Reporter.Aside, and shows Reporter.Filled in the place of what is unset.
//
// A message for a missing word is followed by the usage, unless scripts compare it with
// Dokku's (Spec.MissingAlone).
package cli
