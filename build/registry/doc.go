// Package registry reads and changes the passwords of image registries in Docker's own
// config.json, so that `docker login` and registry:login are one thing.
//
// # Decisions
//
//   - An app's own file is asked first, then the server's, then that of the user's home.
//     The first file that names the registry decides, also with a wrong password: a build
//     with another user's rights would surprise.
//   - Credential helpers are asked as Docker does, by the name in the file. A file that
//     has one store for all registries is not changed: Docker would ignore the entry.
//   - Passwords stand in the file as Docker writes them, readable for the user dokku
//     alone. Rejected: an encrypted file, whose key would lie beside it.
package registry
