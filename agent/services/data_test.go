package services_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"dokku/agent/services"
	"dokku/agent/services/servicestest"
)

// TestExportOfStarting: after a reboot, a backup that is due meets a server that still starts.
func TestExportOfStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := b.create("postgres", "db", services.Options{})
		b.fake.Starting.Store(3)
		var out strings.Builder
		b.ok(b.Export(b.ctx, b.kind("postgres"), s, &out))
		if !strings.HasPrefix(out.String(), servicestest.Head) {
			t.Errorf("%q", out.String())
		}
	})
}
