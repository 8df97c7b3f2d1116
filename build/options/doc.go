// Package options reads the options of `docker build` that docker-options:add stores for
// an app, and applies them to a request.
//
// # Decisions
//
// Dokku passes these options to the docker command line, which has options that name
// files of the server, other builders and registries. Here an option has an effect only
// if this package knows it. Any other is refused by name, with what to use instead, when
// it is added and again when it is used.
//
// Options are stored as Dokku shows them, one line each: the name, a space, and the value
// as a shell would quote it. Both "--target=web" and "--target web" are stored as the
// latter, so either form removes it. An option whose repetition docker would resolve
// silently, the last one winning, is refused: the lines are sorted, so nobody could tell
// which one that is.
//
// --build-arg NAME and --secret id=NAME take their values from the app's config when the
// build begins, as in Dokku, where docker inherits the config as its environment. A build
// argument without a value in the config is left out, as docker leaves it out: the
// Dockerfile may have a default. A secret without one is an error, because a step would
// find an empty file.
package options
