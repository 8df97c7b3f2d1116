package deploy

import (
	"os"
	"strconv"

	"dokku/agent/event"
)

// keepLogs is how many logs of deploys an app keeps.
const keepLogs = 20

// logDeploy sends the events of this deploy, all of them, to a file too:
// dokku/deploys/<n>.log, numbered apart from the releases, since a rejected
// push has a log as well. It ends with the error that ended the deploy. A log that
// cannot be written fails no deploy.
func (x *Session) logDeploy() (end func(error)) {
	numbers := x.Env.Store.DeployLogs(x.Name)
	n := 1
	if len(numbers) > 0 {
		n = numbers[len(numbers)-1] + 1
	}
	f, err := event.CreateFile(x.Env.Store.File(x.Name, "deploys", strconv.Itoa(n)+".log"))
	if err != nil {
		x.Log.Warn("%s", err)
		return func(error) {}
	}
	for len(numbers) >= keepLogs {
		os.Remove(x.Env.Store.File(x.Name, "deploys", strconv.Itoa(numbers[0])+".log"))
		numbers = numbers[1:]
	}
	x.base = x.base.Tee(f)
	x.about(x.State.Current)
	return func(err error) {
		if err != nil {
			event.New(f).Warn("%s", err) // whoever called prints it elsewhere
		}
		f.Close()
	}
}
