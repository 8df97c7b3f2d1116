package deploy

import (
	"os"

	"dokku/agent/app"
	"dokku/agent/event"
)

// keepLogs is the number of deploy logs that an app keeps.
const keepLogs = 20

// logDeploy also writes all events of this deploy to dokku/deploys/<n>.log. The numbers
// are independent of the releases', because a rejected push has a log too. end appends
// the deploy's error. After a push was accepted, continueLog adds the rest. A log that cannot be written fails no deploy.
func (x *Session) logDeploy() (end func(error)) {
	numbers := x.Env.Store.DeployLogs(x.Name)
	n := 1
	if len(numbers) > 0 {
		n = numbers[len(numbers)-1] + 1
	}
	f, err := event.CreateFile(x.Env.Store.DeployLog(x.Name, n))
	if err != nil {
		x.Log.Warn("%s", err)
		return func(error) {}
	}
	for len(numbers) >= keepLogs {
		os.Remove(x.Env.Store.DeployLog(x.Name, numbers[0]))
		numbers = numbers[1:]
	}
	x.deployLog = n
	return x.logTo(f)
}

// continueLog writes the rest of a deploy that git has accepted to its log too.
func (x *Session) continueLog(st *app.Staged) (end func(error)) {
	f, err := event.AppendFile(x.Env.Store.DeployLog(x.Name, st.Log))
	if st.Log == 0 || err != nil {
		return func(error) {} // it was removed, or an older version made the push
	}
	return x.logTo(f)
}

func (x *Session) logTo(f *event.File) (end func(error)) {
	x.base = x.base.Tee(f)
	x.logRelease(x.State.Current)
	return func(err error) {
		if err != nil {
			event.New(f).Warn("%s", err) // to the file alone: the caller prints it too
		}
		f.Close()
	}
}
