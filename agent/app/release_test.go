package app

import "testing"

// TestRevisionVariable: a process has the revision in the variable of git:set, or in none.
func TestRevisionVariable(t *testing.T) {
	for name, want := range map[string]string{"": "GIT_REV", "REV": "REV", NoRevEnvVar: ""} {
		r := &Release{Revision: "3f2c1d9", RevEnvVar: name}
		env := r.Environment(Process{Type: "worker", Index: 1})
		if r.RevisionVariable() != want || want != "" && env[want] != "3f2c1d9" {
			t.Errorf("rev-env-var %q: the revision is in %q: %v", name, r.RevisionVariable(), env)
		}
		for key, value := range env {
			if value == "3f2c1d9" && key != want {
				t.Errorf("rev-env-var %q: the revision is in %s", name, key)
			}
		}
	}
}
