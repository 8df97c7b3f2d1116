// Package sources has the commands that deploy without a push: git:from-image,
// git:from-archive, git:sync and their relatives, the credentials for that, and registry:*:
// logins, where images are pushed to, and the registry that this server has.
package sources
