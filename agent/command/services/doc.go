// Package services has the commands of services: postgres:create, redis:link, ... Each kind
// has the same ones, with the words, flags and exit codes of Dokku's plugins.
//
// # Decisions
//
// The kinds are read for each command line that needs them: a new file in services.d has its
// commands at once. A file that says no kind stops the commands of its own name alone, with
// the file and the line.
//
// Lists of all commands (help, completion) show the kinds' commands in a group of their own.
//
// create takes POSTGRES_IMAGE and its relatives from the environment, as Dokku's plugins do,
// since playbooks of ansible-dokku have no other way to name an image. It says which it took:
// a variable that somebody forgot does not decide in silence. upgrade and clone have flags alone.
//
// link sets no variable in an app that has the service's URL already, without being linked:
// config:import and dokku import bring the variables first. With Dokku's plugins, such an app
// cannot be linked at all.
//
// Where Dokku's plugins print a password, these do: info, and link with the URL, which
// config:set would print too. Neither gets into the host's log.
package services
