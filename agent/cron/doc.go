// Package cron runs the cron tasks of app.json: the agent those that are due, and cron:run
// one that a person asks for. It imports agent, oneoff, deploy, engine and the packages
// below them.
//
// # Decisions
//
//   - No minute has two runs. The record of a scheduled run is a file whose name has the
//     minute and the task. It is created, exclusively, and synced before the container
//     starts (store.ClaimRun). So whoever else finds the minute due, another agent or the
//     same one after a crash, finds the file. A run that was killed in between has not
//     happened, and is said to be interrupted. A lock was rejected: it does not survive the
//     crash that it has to cover.
//   - Of each task, the scheduler remembers the last minute that it has handled, and looks
//     only behind that. A clock that is set back by up to clockBack repeats nothing: tasks
//     wait until it has caught up, as with cron(8). One that is set back by more was wrong
//     before, and tasks may not wait for years: they go on from now, and the records still
//     keep the minutes that ran from running again.
//   - What was due while no agent ran is missed. It is recorded once (with a count) and told
//     by an event, cron:list and cron:logs, and never made up: a backup of last night may be
//     wrong at noon. cron:run makes it up. Nothing is missed that was due before the task
//     was scheduled, or while it was in maintenance (cron.json).
//   - A task that is found due within its minute still runs: the restart of an agent takes
//     seconds.
//   - A task belongs to the current release. Its container starts only if that release is
//     still current at the start; otherwise the new release is asked for the task. So a
//     task ends with its release. A run that is under way goes on: as in Dokku, a deploy
//     does not cut a backup or a report in half, and the engine keeps its image meanwhile.
//     ps:stop does not end it either, and does not stop the schedule: maintenance does.
//   - A run outlives the agent. Its container has the run's id in a label, and the next
//     agent waits for its end. The scheduler removes the container once it has stored the
//     log and the exit code; package plan leaves it alone until long after its deadline.
//   - cron:stop records that it stops a run before it does: the end is then no failure, to
//     whoever waits for it. Dokku has no such command.
//   - The agent does not hold the app's lock: a deploy and a task do not wait for each other.
//   - Mail is sent by the sendmail of the server, with the output of each run that has any,
//     as cron(8) does. Without one, mailto is stored and cron:set says that nothing is sent:
//     a script for Dokku that sets it should not fail for that. notify tells of failed runs
//     without a mail server. Rejected: an SMTP client with a password of its own.
//   - Commands run without a shell and are refused if they need one, as in Dokku. Variables
//     of the config are expanded, which are always empty in Dokku.
package cron
