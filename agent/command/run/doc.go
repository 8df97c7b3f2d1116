// Package run has the commands that work in an app's containers: run and run:* for
// one-off commands, enter for a command in a running container, and logs.
//
// run and enter pass the app's bytes on unchanged, to a terminal too: an interactive
// program needs colours and the cursor. Logs are made printable before they are shown;
// where the reader sees colours, they keep those of the app, and each process has a
// colour of its own, in Dokku's order.
//
// That a word was found in the Procfile is a heading on stdout, as in Dokku: without a terminal
// too, where its users drop it by tail or --quiet. --label
// takes any name but those that dokku itself sets, com.dokku.* among them, as in Dokku: the
// labels that tell whose a container is win in the engine anyway.
//
// builds:* are Dokku's names for deploys. builds:set APP retention counts those of all
// kinds, rejected ones too; a deploy removes the oldest when it begins.
package run
