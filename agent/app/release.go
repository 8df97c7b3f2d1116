package app

import (
	"maps"
	"strings"
	"time"
)

// Release is the immutable result of a deploy: image, environment, processes. It is
// stored as <app>/dokku/releases/<number>.json.
type Release struct {
	Version int `json:"version"`
	Number  int `json:"number"`
	// Attempt distinguishes two deploys that got the same number: the number of a
	// rejected release is used again.
	Attempt string `json:"attempt"`
	// Kept are the process types that still run under an earlier release, because
	// only others were restarted (ps:restart APP TYPE).
	Kept     map[string]Identity `json:"kept,omitempty"`
	Revision string              `json:"revision"` // full commit id
	Image    string              `json:"image"`    // image id
	Port     int                 `json:"port"`     // of web
	// Detected is the port that the image exposes. Port differs if ports:set named
	// another one. 0 in releases of older versions: see DetectedPort.
	Detected int `json:"detected_port,omitempty"`
	// Exposes: the image exposes Detected. It is false in releases of older versions.
	Exposes bool `json:"exposes,omitempty"`
	// PortFound: the image exposes no port, and Detected is the one on which the first
	// release was found to listen.
	PortFound bool `json:"port_found,omitempty"`
	// RevEnvVar: see State.
	RevEnvVar string `json:"rev_env_var,omitempty"`

	// Config is the environment of all processes, without the variables that
	// Environment adds.
	Config map[string]string `json:"config,omitempty"`
	// Sets has the variables of Config that app.json adds to the app's config when the
	// release becomes current.
	Sets map[string]string `json:"sets,omitempty"`
	ContainerOptions
	// Files holds the control files that the revision ships, by name.
	Files map[string]string `json:"files,omitempty"`
	// Control is the parsed form of Files; see ReadFiles. The store and a build set it.
	Control Control `json:"-"`
	// Builder is the name of the builder that built the image, and BuilderReason what it
	// built from and why, as the push said it. Empty in releases of older versions.
	Builder       string `json:"builder,omitempty"`
	BuilderReason string `json:"builder_reason,omitempty"`
	// BuildDir is the folder of the revision that was built; empty: its root. The
	// paths of control files begin there.
	BuildDir string `json:"build_dir,omitempty"`
	// ProcfilePath is the path of the Procfile in the revision; empty: in its root.
	ProcfilePath string `json:"procfile_path,omitempty"`
	// AppJSONPath is the path of app.json; empty: in the root.
	AppJSONPath string `json:"appjson_path,omitempty"`
	// StartCommand is web's command without a Procfile; empty: the image's own.
	StartCommand string `json:"start_command,omitempty"`

	// RunsCron: a version of this program built it that runs the cron tasks of app.json.
	// Before, their users were told to run them by a cron of their own.
	RunsCron bool `json:"runs_cron,omitempty"`

	// Source is where the revision came from; nil: from a client's push.
	Source *Source `json:"source,omitempty"`
	// SourceImage is the id of the image that the revision's Dockerfile builds on, if
	// git:from-image wrote that. It is kept with the release: another build needs it.
	SourceImage string `json:"source_image,omitempty"`

	// Remote is the image's name by digest in the registry that it was pushed to; "": it was
	// not.
	Remote string `json:"remote,omitempty"`
	// RemoteTag is its tag there: the number of the release that pushed it.
	RemoteTag int `json:"remote_tag,omitempty"`

	Cause   string    `json:"cause"` // "push", "ps:restart", "config:set", ...
	Created time.Time `json:"created"`

	// Subject is the first line of the revision's message. By is who made the release: the
	// name of an ssh key, or a user of this server. Both are empty in older releases.
	Subject string `json:"subject,omitempty"`
	By      string `json:"by,omitempty"`
	// Message is the pusher's note (git push -o message); "": none.
	Message string `json:"message,omitempty"`
	// ChecksSkipped: its deploy skipped CHECKS and healthchecks (git push -o skip-checks).
	ChecksSkipped bool `json:"checks_skipped,omitempty"`
	// Deploy is the number of the deploy that made it, see Deploy; 0: one without a record.
	Deploy int `json:"deploy,omitempty"`
	// Of is the number of the release that releases:rollback brought back; 0: none.
	Of int `json:"of,omitempty"`
	// Back is the tip of the deploy branch at a rollback to another revision. The releases
	// that settings make of that release have it too; a push or a rebuild ends it.
	Back string `json:"rolled_back_from,omitempty"`
	// Ran are the commands that this deploy ran once, "release" or "predeploy". A rollback
	// does not undo them.
	Ran []string `json:"ran,omitempty"`
	// Changes are the differences to the release that was current before, whose number is
	// Before; 0: there was none, or this is an older release.
	Changes []Change `json:"changes,omitempty"`
	Before  int      `json:"before,omitempty"`
	// ServerConfig names the variables of Config that were the server's, not the app's. It
	// is nil in older releases.
	ServerConfig []string `json:"server_config"`
}

// Identity names the release of a container, as its labels do.
type Identity struct {
	Release int    `json:"release"`
	Attempt string `json:"attempt"`
}

// Title returns the release's revision with its subject: "1a2b3c4 Fix the login".
func (r *Release) Title() string { return strings.TrimSpace(r.Short() + " " + r.Subject) }

// Short returns the release's revision in seven digits.
func (r *Release) Short() string { return Short(r.Revision) }

// Short returns the first seven digits of a revision.
func Short(revision string) string { return revision[:min(7, len(revision))] }

// Identity returns the identity of the containers of a type.
func (r *Release) Identity(typ string) Identity {
	if id, kept := r.Kept[typ]; kept {
		return id
	}
	return Identity{r.Number, r.Attempt}
}

// Derive returns a new release with the number and the content of r, made by somebody.
func (r *Release) Derive(number int, cause, by string) *Release {
	d := *r
	d.Number, d.Cause, d.By, d.Attempt, d.Created, d.Kept = number, cause, by, NewAttempt(), time.Now().UTC(), nil
	d.Config, d.Sets = maps.Clone(r.Config), nil
	d.Of, d.Ran, d.Changes = 0, nil, nil
	d.Message, d.ChecksSkipped, d.Deploy = "", false, 0
	return &d
}
