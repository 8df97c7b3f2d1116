// Package sources has the commands that deploy without a push: git:from-image,
// git:from-archive, git:sync and their relatives, the credentials for that, and registry:*.
package sources
