package pack

import (
	"fmt"
	"slices"
	"strings"

	"dokku/build"
	"dokku/build/container"
)

// The exit codes of detect that the platform specification gives.
const (
	codeNoneFits   = 20 // all buildpacks said that they do not fit
	codeSomeFailed = 21 // none fits, and at least one failed
)

// undetected says why no buildpack fits, with what each one said.
func (j *job) undetected(f *filter, end container.End) string {
	var failed, refused []string
	for _, r := range f.results {
		m := result.FindStringSubmatch(r)
		text := m[2]
		if said := f.said[text]; len(said) > 0 {
			text += fmt.Sprintf(" (%s)", strings.Join(said[max(0, len(said)-maxSaid):], " "))
		}
		switch m[1] {
		case "err":
			failed = append(failed, text)
		case "fail":
			refused = append(refused, text)
		}
	}
	slices.Sort(failed)
	slices.Sort(refused)
	failed, refused = slices.Compact(failed), slices.Compact(refused)
	if len(refused) > maxExamples {
		refused = append(refused[:maxExamples], fmt.Sprintf("and %d more", len(refused)-maxExamples))
	}
	switch {
	case end.ExitCode == codeSomeFailed && len(failed) > 0:
		return fmt.Sprintf("the buildpack %s failed to find out whether it fits; correct what it says, or name other buildpacks: %s",
			strings.Join(failed, ", "), j.naming())
	case end.ExitCode == codeNoneFits:
		which := ""
		if len(refused) > 0 {
			which = ": " + strings.Join(refused, ", ")
		}
		return fmt.Sprintf("no buildpack of %s fits the files of this revision%s; add the file that the buildpack of your language looks for, "+
			"or name a buildpack: %s", j.builder.name, which, j.naming())
	}
	return f.reason(end)
}

// naming says where to name a buildpack. A setting for an app without a selected builder
// would have herokuish build it, as in Dokku.
func (j *job) naming() string {
	if j.Selected == build.Pack {
		return "dokku buildpacks:add " + j.App + " ID"
	}
	return "[[io.buildpacks.group]] in " + j.project.path
}

// maxSaid is how many lines of a buildpack's output a message repeats.
const maxSaid = 3
