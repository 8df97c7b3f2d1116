package app

import "time"

// ReleaseSummary is what stays of a release once its image is gone.
type ReleaseSummary struct {
	Number   int      `json:"number"`
	Revision string   `json:"revision"`
	Subject  string   `json:"subject,omitempty"`
	Builder  string   `json:"builder,omitempty"`
	By       string   `json:"by,omitempty"`
	Cause    string   `json:"cause"`
	Message  string   `json:"message,omitempty"`
	Deploy   int      `json:"deploy,omitempty"`
	Of       int      `json:"of,omitempty"`
	Changes  []Change `json:"changes,omitempty"`
	Ran      []string `json:"ran,omitempty"`
	// ChecksSkipped: see Release.
	ChecksSkipped bool      `json:"checks_skipped,omitempty"`
	Created       time.Time `json:"created"`
}

// Summary returns the release's summary.
func (r *Release) Summary() ReleaseSummary {
	return ReleaseSummary{Number: r.Number, Revision: r.Revision, Subject: r.Subject, Builder: r.Builder, By: r.By,
		Cause: r.Cause, Message: r.Message, Deploy: r.Deploy, ChecksSkipped: r.ChecksSkipped, Of: r.Of, Changes: r.Changes, Ran: r.Ran, Created: r.Created}
}
