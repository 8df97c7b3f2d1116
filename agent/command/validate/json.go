package validate

import (
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/inspect"
	"dokku/scale"
)

// result is what --format json prints. Only additions may change it.
type result struct {
	Files    []diagnostic      `json:"files"`
	Procfile map[string]string `json:"procfile"` // commands by process type
	Scale    map[string]count  `json:"scale"`    // by process type
	Checks   []check           `json:"checks"`
	Builder  builder           `json:"builder"`
	Cron     []task            `json:"cron"`
	// Required are the variables that app.json requires and gives no value.
	Required []string `json:"required"`
}

// diagnostic is a problem. File is its path in the repository, "" if it is about no single
// file. Line is 0 for a whole file. Fix is the end of Message, as far as that says what to do.
type diagnostic struct {
	File     string           `json:"file"`
	Line     int              `json:"line"`
	Severity inspect.Severity `json:"severity"`
	Message  string           `json:"message"`
	Fix      string           `json:"fix"`
}

type count struct {
	Quantity int          `json:"quantity"`
	Origin   scale.Origin `json:"origin"`
}

// check is a check of a process type. File and Line are where it stands; "" and 0: it is a
// default. Wait and Timeout are in seconds.
type check struct {
	Type     string  `json:"process_type"`
	Check    string  `json:"check"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Attempts int     `json:"attempts"`
	Wait     float64 `json:"wait"`
	Timeout  float64 `json:"timeout"`
}

// task is a cron task.
type task struct {
	Command     string                  `json:"command"`
	Schedule    string                  `json:"schedule"`
	Policy      scale.ConcurrencyPolicy `json:"concurrency_policy"`
	Maintenance bool                    `json:"maintenance"`
	Line        int                     `json:"line"` // of app.json
}

type builder struct {
	Name   string `json:"name"` // "": none was found
	Reason string `json:"reason"`
}

// printJSON prints the report for programs. With an error in it, it ends the command with
// exit code 1 and no other text.
func printJSON(c *cli.Call, r *app.Release, report *inspect.Report) error {
	if err := c.PrintJSON(resultOf(r, report)); err != nil {
		return err
	}
	if report.Err() != nil {
		return cli.ErrSilent
	}
	return nil
}

func resultOf(r *app.Release, report *inspect.Report) result {
	out := result{Files: []diagnostic{}, Procfile: map[string]string{}, Scale: map[string]count{}, Checks: []check{}, Cron: []task{}, Required: []string{},
		Builder: builder{report.Choice.Builder, report.Choice.Reason}}
	for _, p := range report.Problems {
		out.Files = append(out.Files, diagnostic{p.File, p.Line, p.Severity, p.Said(), p.Fix()})
	}
	for _, p := range r.Control.Procfile {
		out.Procfile[p.Type] = p.Command
	}
	for _, e := range report.Formation {
		out.Scale[e.Type] = count{e.Count, e.Origin}
		for _, k := range report.Checks.Checks[e.Type] {
			file := k.Source
			if file != "" {
				file = r.RepositoryPath(file)
			}
			out.Checks = append(out.Checks, check{e.Type, k.String(), file, k.Line, k.Attempts, k.Wait.Seconds(), k.Timeout.Seconds()})
		}
	}
	for _, t := range r.Control.AppJSON.Cron {
		out.Cron = append(out.Cron, task{t.Command, t.Schedule, t.Policy, t.Maintenance, t.Line})
	}
	for _, v := range r.Control.AppJSON.Env {
		if v.Required && v.Value == "" && !v.Secret {
			out.Required = append(out.Required, v.Name)
		}
	}
	return out
}
