package scale

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// CronTask is a task of app.json's cron. The fields and their defaults are Dokku 0.38's.
type CronTask struct {
	Command string // as written; see CronWords
	// When is the parsed Schedule, which is as written.
	Schedule string
	When     Schedule
	// Maintenance: the task does not run.
	Maintenance bool
	Policy      ConcurrencyPolicy
	Line        int // 1-based
}

// ConcurrencyPolicy says what happens when a task is due and still runs.
type ConcurrencyPolicy string

// The policies.
const (
	PolicyAllow   ConcurrencyPolicy = "allow"   // both run
	PolicyForbid  ConcurrencyPolicy = "forbid"  // the new one does not start
	PolicyReplace ConcurrencyPolicy = "replace" // the old one is stopped
)

// maxTasks is the number of tasks that a revision may have: each is another schedule that the
// agent follows. Releases of older versions may have more.
const maxTasks = 100

// cronKeys are the keys of a task.
var cronKeys = []string{"command", "schedule", "maintenance", "concurrency_policy"}

// readCron reads cron. A task with a problem is left out.
func (a *AppJSON) readCron(raw json.RawMessage, where location) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		a.problems = append(a.problems, Problem{File: appJSONName, Line: where.line("cron"), Message: "cron must be a list of tasks in [ ]"})
		return
	}
	if len(list) > maxTasks {
		a.problems = append(a.problems, Problem{File: appJSONName, Line: where.line("cron"),
			Message: fmt.Sprintf("cron has %d tasks, more than the limit of %d: have one task run several commands, as in \"sh -c 'FIRST; SECOND'\"", len(list), maxTasks)})
	}
	lines := map[[2]string]int{}
	for i, raw := range list {
		task, bad := readTask(raw, where, i)
		same := [2]string{task.Command, task.Schedule}
		switch {
		case bad != nil:
			a.problems = append(a.problems, *bad)
		case lines[same] != 0:
			a.Warnings = append(a.Warnings, Problem{File: appJSONName, Line: task.Line,
				Message: fmt.Sprintf("the cron task %s is in line %d already with the same schedule: it runs once", Quote(task.Command), lines[same])})
		default:
			lines[same] = task.Line
			a.Cron = append(a.Cron, task)
		}
	}
}

// readTask reads task i of cron.
func readTask(raw json.RawMessage, where location, i int) (task CronTask, bad *Problem) {
	n := strconv.Itoa(i)
	name := fmt.Sprintf("cron task %d", i+1)
	problem := func(key, text, format string, args ...any) *Problem {
		return &Problem{File: appJSONName, Line: where.line("cron", n, key), Text: text, Message: fmt.Sprintf(format, args...)}
	}
	var file struct {
		Command     string `json:"command"`
		Schedule    string `json:"schedule"`
		Maintenance bool   `json:"maintenance"`
		Policy      string `json:"concurrency_policy"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return task, problem("", "", `%s must be an object of "command", "schedule" and "concurrency_policy", texts in quotes, and "maintenance", true or false`, name)
	}
	if strings.TrimSpace(file.Command) == "" {
		return task, problem("command", "", `%s has no command: write "command": "npm run report"`, name)
	}
	name = "the cron task " + Quote(file.Command)
	if strings.TrimSpace(file.Schedule) == "" {
		return task, problem("schedule", "", `%s has no schedule: write "schedule": "0 3 * * *"`, name)
	}
	task = CronTask{Command: file.Command, Schedule: file.Schedule, Maintenance: file.Maintenance,
		Policy: ConcurrencyPolicy(file.Policy), Line: where.line("cron", n)}
	var err error
	if task.When, err = ParseSchedule(file.Schedule); err != nil {
		return task, problem("schedule", file.Schedule, "this cannot be the schedule of %s: %s", name, err)
	}
	words, err := CronWords(file.Command, nil)
	var long lengthError
	if errors.As(err, &long) || errors.Is(err, errExpansion) {
		return task, problem("command", "", "%s cannot run: %s", name, err)
	}
	if err != nil || len(words) == 0 || strings.Contains(file.Command, "\x00") {
		return task, problem("command", "", `%s cannot run without a shell: write it as "sh -c 'COMMANDS'"`, name)
	}
	switch task.Policy {
	case "":
		task.Policy = PolicyAllow
	case PolicyAllow, PolicyForbid, PolicyReplace:
	default:
		return task, problem("concurrency_policy", file.Policy, "this cannot be the concurrency_policy of %s: write allow, forbid or replace", name)
	}
	return task, nil
}
