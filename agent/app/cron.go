package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"dokku/agent/proc"
	"dokku/scale"
)

// Properties of cron:set. MailTo and MailFrom are the server's alone. Dokku has no
// CronTimezone: its tasks follow the clock of the server.
const (
	CronMaintenance = "maintenance"
	CronMailTo      = "mailto"
	CronMailFrom    = "mailfrom"
	CronTimezone    = "timezone"
)

// CronTTL is how long a cron task may run, as in Dokku.
const CronTTL = 24 * time.Hour

// CronTask is a task of the current release.
type CronTask struct {
	scale.CronTask
	// ID is Dokku's id: it has the app's name, the command and the schedule. Key stands for
	// the command and the schedule alone, so that a rename keeps it.
	ID, Key string
	// Suspended: cron:suspend has suspended it.
	Suspended bool
	// InMaintenance: the task is suspended, or in maintenance by app.json. AppInMaintenance:
	// all tasks of the app are.
	InMaintenance, AppInMaintenance bool
}

// Runs reports whether the task runs when it is due.
func (t CronTask) Runs() bool { return !t.InMaintenance && !t.AppInMaintenance }

// CronTasks returns the tasks of the current release. A release of a version that ran no
// tasks has none: see Release.RunsCron.
func (v View) CronTasks() []CronTask {
	if v.Current == nil || !v.Current.RunsCron {
		return nil
	}
	var list []CronTask
	all := v.CronInMaintenance()
	for _, t := range v.Current.Control.AppJSON.Cron {
		task := CronTask{CronTask: t, ID: cronID(v.Name, t), Key: CronKey(t.Command, t.Schedule), AppInMaintenance: all}
		task.Suspended = slices.Contains(v.State.CronSuspended, task.Key)
		task.InMaintenance = task.Suspended || t.Maintenance
		list = append(list, task)
	}
	return list
}

// CronTask returns the task with an id.
func (v View) CronTask(id string) (t CronTask, ok bool) {
	list := v.CronTasks()
	n := slices.IndexFunc(list, func(t CronTask) bool { return t.ID == id })
	if n < 0 {
		return t, false
	}
	return list[n], true
}

// CronInMaintenance reports whether no task of the app runs. As in Dokku, the server's true
// counts for every app.
func (v View) CronInMaintenance() bool {
	return v.State.Cron[CronMaintenance] == "true" || v.Settings.Cron[CronMaintenance] == "true"
}

// CronZone returns the time zone of the app's schedules.
func (v View) CronZone() *time.Location {
	if name := cmp.Or(v.State.Cron[CronTimezone], v.Settings.Cron[CronTimezone]); name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return time.Local
}

// CheckTimezone returns an error unless a name is that of a time zone.
func CheckTimezone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		//lint:ignore ST1005 a message of cron:set
		return fmt.Errorf("Invalid timezone %q: give a name such as Europe/Berlin or UTC", name)
	}
	return nil
}

// cronID returns Dokku's id of a task: base 36, lower case.
func cronID(app string, t scale.CronTask) string {
	return new(big.Int).SetBytes([]byte(app + "===" + t.Command + "===" + t.Schedule)).Text(36)
}

func CronKey(command, schedule string) string {
	sum := sha256.Sum256([]byte(command + "\x00" + schedule))
	return hex.EncodeToString(sum[:5])
}

// Suspend suspends a task, or lets it run again.
func (st *State) Suspend(key string, on bool) {
	st.CronSuspended = slices.DeleteFunc(slices.Clone(st.CronSuspended), func(k string) bool { return k == key })
	if on {
		st.CronSuspended = append(st.CronSuspended, key)
	}
	if len(st.CronSuspended) == 0 {
		st.CronSuspended = nil
	}
}

// Outcome says how a run of a cron task ended.
type Outcome string

// The outcomes.
const (
	RunRuns        Outcome = "running"
	RunDone        Outcome = "done"
	RunFailed      Outcome = "failed"      // its exit code is not 0
	RunNotStarted  Outcome = "not started" // its container could not be started
	RunTimedOut    Outcome = "timed out"   // its time to live was over
	RunReplaced    Outcome = "replaced"    // by the next run of the task
	RunStopped     Outcome = "stopped"     // by cron:stop
	RunSkipped     Outcome = "skipped"     // the one before it still ran
	RunMissed      Outcome = "missed"      // nothing ran dokku agent at the time
	RunInterrupted Outcome = "interrupted" // its process, or its container, is gone
)

// CronRun is a run of a cron task: dokku/cron/ID.json. The file of a scheduled run is there
// before its container starts, and its name has the minute, so that no minute has two runs.
type CronRun struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	// Task is the task's id when it ran, Key its key.
	Task     string `json:"task"`
	Key      string `json:"key"`
	Command  string `json:"command"`
	Schedule string `json:"schedule"`
	// Minute is when it was due; zero: cron:run began it.
	Minute  time.Time `json:"minute,omitzero"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"` // zero: it runs
	By      string    `json:"by,omitempty"`
	Release int       `json:"release,omitempty"`
	// Owner is the process that starts its container. Attached: and waits for it.
	Owner    proc.Owner `json:"owner"`
	Attached bool       `json:"attached,omitempty"`
	Outcome  Outcome    `json:"outcome"`
	ExitCode int        `json:"exit_code"`
	// OOMKilled: its memory ran out.
	OOMKilled bool   `json:"oom_killed,omitempty"`
	Error     string `json:"error,omitempty"`
	// Missed is the number of runs that a missed one stands for; Minute is the last.
	Missed int `json:"missed,omitempty"`
	// Replaced: the next run of the task has stopped it.
	Replaced bool `json:"replaced,omitempty"`
	// Stopped: cron:stop has stopped it.
	Stopped bool `json:"stopped,omitempty"`
}

// NewCronRun returns the run of a task. minute is when it was due; zero: a person began it,
// and unique makes its id.
func NewCronRun(t CronTask, minute, now time.Time, unique string) *CronRun {
	r := &CronRun{Version: Version, Task: t.ID, Key: t.Key, Command: t.Command, Schedule: t.Schedule, Minute: minute.UTC(), Began: now.UTC(), Outcome: RunRuns}
	if minute.IsZero() {
		r.ID = now.UTC().Format("20060102T150405Z") + "-" + t.Key + "-" + unique
	} else {
		r.ID = minute.UTC().Format("20060102T1504Z") + "-" + t.Key
	}
	return r
}

// RunKey returns the key of the task of a run.
func RunKey(id string) string {
	parts := strings.Split(id, "-")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

// Over reports whether the run has ended.
func (r *CronRun) Over() bool { return r.Outcome != RunRuns }

// Failed reports whether somebody should look at the run.
func (r *CronRun) Failed() bool {
	return slices.Contains([]Outcome{RunFailed, RunNotStarted, RunTimedOut, RunMissed, RunInterrupted}, r.Outcome)
}

// Text says how the run ended: "exit code 3", "timed out".
func (r *CronRun) Text() string {
	switch {
	case r.OOMKilled:
		return "out of memory"
	case r.Outcome == RunFailed || r.Outcome == RunDone:
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case r.Missed > 1:
		return fmt.Sprintf("missed %d times", r.Missed)
	case r.Error != "":
		return string(r.Outcome) + ": " + r.Error
	}
	return string(r.Outcome)
}

// CronSince is the content of dokku/cron.json: the tasks that are scheduled, by key, and
// since when. What was due before is not missed.
type CronSince struct {
	Version int `json:"version"`
	// Zone is the time zone of the app's schedules. In another one, other minutes are due.
	Zone  string               `json:"zone"`
	Since map[string]time.Time `json:"since"`
}

// Same reports whether two have the same content.
func (s CronSince) Same(o CronSince) bool {
	return s.Zone == o.Zone && maps.EqualFunc(s.Since, o.Since, time.Time.Equal)
}
