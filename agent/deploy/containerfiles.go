package deploy

import (
	"os"
	"path/filepath"
	"strings"

	"dokku/agent/plan"
)

// containerFile begins the names of the files in which scripts of Dokku's users look for an
// app's containers: CONTAINER.web.1 has the id of the first web process.
const containerFile = "CONTAINER."

// noteContainers writes the ids of the current processes' containers for scripts. Nothing here
// reads them: what runs is the engine's to say. So they are not synced, and a file that could
// not be written is written by the next converge.
func (x *Session) noteContainers(d plan.Desired, w plan.Observation) {
	ids := map[string]string{}
	for _, p := range d.Want {
		if i, ok := plan.Find(d, w, p); ok {
			ids[containerFile+p.String()] = i.ID + "\n"
		}
	}
	have, _ := filepath.Glob(filepath.Join(x.Dir, containerFile+"*"))
	for _, path := range have {
		if ids[filepath.Base(path)] == "" {
			os.Remove(path)
		}
	}
	for name, id := range ids {
		path := filepath.Join(x.Dir, name)
		if text, err := os.ReadFile(path); err == nil && string(text) == id {
			continue
		}
		// A reader sees the old id or the new one, never half a file.
		temp := filepath.Join(x.Dir, "."+strings.ToLower(name))
		if os.WriteFile(temp, []byte(id), 0o644) == nil {
			os.Rename(temp, path)
		}
	}
}
