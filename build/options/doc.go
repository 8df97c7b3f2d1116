// Package options reads the options that docker-options:add stores for an app: those of
// `docker build`, which it applies to a request (Apply), and those of `docker run` for the
// app's containers (Containers).
//
// # Decisions
//
// Dokku passes these options to the docker command line, which has options that name
// files of the server, other builders and registries. Here an option has an effect only
// if this package knows it. Any other is refused by name, with what to use instead, when
// it is added and again when it is used.
//
// Options are stored as Dokku shows them, one line each: the name, a space or =, as they were
// written, and the value as a shell would quote it. Clients compare them as texts. Both
// "--target=web" and "--target web" are the same option, so either form removes it. An option whose repetition docker would resolve
// silently, the last one winning, is refused: the lines are sorted, so nobody could tell
// which one that is.
//
// --build-arg NAME and --secret id=NAME take their values from the app's config when the
// build begins, as in Dokku, where docker inherits the config as its environment. A build
// argument without a value in the config is left out, as docker leaves it out: the
// Dockerfile may have a default. A secret without one is an error, because a step would
// find an empty file.
//
// An option of containers is in the list if it changes the app's own container alone. The
// list leaves out what gives rights over the server (--privileged, --security-opt), what
// would let one app go before others (--ulimit rtprio), what another command does in a way
// that releases and deploys know (--network, --env), and --publish, with which no
// deploy could start a new process beside the old one. --health-* are left out: deploys wait
// for the HEALTHCHECK of an image and the healthchecks of app.json, and a third place would
// compete with them. Which folders, capabilities and devices an app may have is not this
// package's to say; app.View.CheckContainers does.
//
// --memory, --memory-reservation and --cpus do what resource:limit and resource:reserve do,
// which win where both are set, as their options come last on Dokku's command line.
//
// Options of a process type replace those of all types that set the same thing, where
// docker would let the last one win.
package options
