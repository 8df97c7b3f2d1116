// Package builders has the commands that say how a revision becomes an image:
// builder:*, builder-dockerfile:* and builder-pack:* for the choice of a builder and for
// paths, app-json:* for the path of app.json, docker-options:* for the options of a
// build and of containers, repo:purge-cache for what buildpacks keep.
//
// The nouns and their properties are Dokku's. All values of one app lie in one map of its
// state (app.State.Build): no two nouns have a property of the same name.
//
// skip-cleanup is stored without effect, for clients that set it.
//
// Which paths of the host outside of the data root apps may mount is decided on the server
// itself (docker-options:set --global allowed-mounts), as with devices: a key over ssh must not
// reach files of the host by itself. Such a path may be missing when the option is added; a
// deploy refuses it.
package builders
