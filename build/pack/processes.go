package pack

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// processDir is where every image that the lifecycle exports has its processes: each file
// is the launcher under the name of a process type.
const processDir = "/cnb/process/"

// labelMetadata is the label of an exported image that has its process types.
const labelMetadata = "io.buildpacks.build.metadata"

// metadata is what the label says.
type metadata struct {
	Processes []process `json:"processes"`
	Default   string    `json:"buildpack-default-process-type"`
}

type process struct {
	Type string `json:"type"`
}

func readMetadata(labels map[string]string) (metadata, error) {
	var m metadata
	text := labels[labelMetadata]
	if text == "" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("the exported image has a label %s that cannot be read: %w", labelMetadata, err)
	}
	return m, nil
}

// processType is what Dokku takes as a process type. The specification allows a dot too.
var processType = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// procfile is a Procfile of the image's process types. Without a process web, the image's
// default process is web. skipped are the types whose names Dokku does not have.
func (m metadata) procfile() (text []byte, skipped []string) {
	const web = "web"
	found := map[string]string{}
	for _, p := range m.Processes {
		if !processType.MatchString(p.Type) {
			skipped = append(skipped, p.Type)
			continue
		}
		found[p.Type] = p.Type
	}
	if found[web] == "" && m.Default != "" {
		found[web] = m.Default
	}
	for _, t := range slices.Sorted(maps.Keys(found)) {
		text = fmt.Appendf(text, "%s: %s%s\n", t, processDir, found[t])
	}
	return text, skipped
}
