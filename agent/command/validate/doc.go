// Package validate has the command dokku validate: what a push would say about the files
// of a folder, on a machine without a server.
//
// The app that the files are for is not known. So its settings are the defaults, and
// messages call it APP. Where a DOKKU_ROOT can be read, the server's settings count.
package validate
