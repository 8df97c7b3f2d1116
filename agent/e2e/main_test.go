package e2e

import (
	"os"
	"testing"

	"dokku/agent/e2e/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
