package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// statusFile is what the service tells those who may use its socket.
const statusFile = "status.json"

// Status is what a service has found when it last looked.
type Status struct {
	Time time.Time `json:"time"`
	// Failed is why builds may not be kept from the host; "": the rules are there.
	Failed string `json:"failed"`
}

// note writes the status.
func (c Config) note(failed error) {
	s := Status{Time: time.Now().UTC()}
	if failed != nil {
		s.Failed = failed.Error()
	}
	b, _ := json.Marshal(s)
	path := filepath.Join(c.Run, statusFile)
	if os.WriteFile(path+".new", b, 0o640) == nil && os.Chown(path+".new", 0, c.GID) == nil {
		os.Rename(path+".new", path)
	}
}

// ReadStatus returns the status of the service with the socket. It fails if the service does not
// look any more.
func ReadStatus(socket string) (s Status, err error) {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(socket), statusFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("its status is damaged: %w", err)
	}
	if late := time.Since(s.Time); late > 3*rulesEvery {
		return s, fmt.Errorf("its service does not look at its rules since %s", late.Round(time.Second))
	}
	return s, nil
}
