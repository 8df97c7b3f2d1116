package e2e

import (
	"os"
	"testing"

	"dokku/agent/certs/acme/acmetest"
	"dokku/agent/e2e/lab"
)

func TestMain(m *testing.M) {
	if !acmetest.Host() {
		os.Exit(lab.Main(m))
	}
}
