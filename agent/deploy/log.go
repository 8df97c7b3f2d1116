package deploy

import (
	"os"
	"strconv"

	"dokku/agent/event"
)

// keepLogs is the number of deploy logs that an app keeps.
const keepLogs = 20

// logDeploy also writes all events of this deploy to dokku/deploys/<n>.log. The numbers
// are independent of the releases', because a rejected push has a log too. end appends
// the deploy's error. A log that cannot be written fails no deploy.
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
	x.logRelease(x.State.Current)
	return func(err error) {
		if err != nil {
			event.New(f).Warn("%s", err) // to the file alone: the caller prints it too
		}
		f.Close()
	}
}
