package store

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"dokku/agent/app"
)

// FuzzFiles: a file of an app, whatever is in it, is refused, or is the same after it was written and
// read again; one of a newer version is always refused.
func FuzzFiles(f *testing.F) {
	for _, text := range []string{`{}`, `{"version":1}`, `{"version":99}`, `{"version":1,"config":{"A":"b"},"scale":{"web":2},"domains":["a.example.com"],"current":3}`,
		`{"version":1,"number":3,"revision":"3f2c1d9","image":"sha256:0","processes":{"web":{"command":"x"}}}`, `null`, `[]`, `{"version":"1"}`, `{"version":1,"version":99}`,
		`{"version":1,"nginx":{"properties":{"x":"y"}},"domains":["a"]}`, `{"Version":1,"CONFIG":{"A":"\ud800"}}`, `{"version":1,"provisional":true,"kept":"2026-01-01T00:00:00Z"}`, `{"version":1}x`} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "file.json")
		for _, one := range []any{&app.State{}, &app.Release{}, &app.Settings{}} {
			kind := reflect.TypeOf(one).Elem()
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if ReadJSON(path, one) != nil {
				continue
			}
			var head struct{ Version int }
			if json.Unmarshal(data, &head) == nil && head.Version > app.Version {
				t.Fatalf("%s: a file of version %d is read", kind, head.Version)
			}
			written, err := json.Marshal(one)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			again := reflect.New(kind).Interface()
			if err := json.Unmarshal(written, again); err != nil {
				t.Fatalf("%s: %s: %v", kind, written, err)
			}
			if twice, err := json.Marshal(again); err != nil || !bytes.Equal(twice, written) {
				t.Errorf("%s: %s is written as %s, %v", kind, written, twice, err)
			}
		}
	})
}
