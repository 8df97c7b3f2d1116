// Package admin has the commands about the server: doctor, backup and restore, and the
// ssh keys.
//
// # Decisions
//
// ssh-keys:remove of a key that is not there warns and succeeds, as in Dokku: scripts that
// clean up run it again. ssh-keys:list of such a name prints nothing and exits with 1.
//
// The names of Dokku's plugin acl give keys apps and services, with its texts and exit codes: acl:add of what is there
// exits with 2, and acl:list-service prints to standard error. They change the same rights as ssh-keys:set. There,
// an app without a list is open to all keys; here, only an admin's key is for apps that do not name it. Its variables
// DOKKU_SUPER_USER, DOKKU_ACL_USER_COMMANDS and so on are the roles here. They are not read: a list of commands
// says nothing about flags.
package admin
