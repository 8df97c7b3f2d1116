package machine

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"dokku/agent/event"
	"dokku/agent/watch"
)

// TestAgentTellsChanges: the first agent after an update names the apps that it treats
// differently, a second one does not.
func TestAgentTellsChanges(t *testing.T) {
	m := firstLayout(t, newHistory(t))
	replace(t, m.root+"/shop/dokku/releases/7.json", `"files": {`,
		`"files": {"CHECKS": "/ welcome\n", "app.json": "{\"healthchecks\": {\"web\": [{\"type\": \"startup\", \"path\": \"/\"}]}, \"cron\": [{\"command\": \"tidy\", \"schedule\": \"@daily\"}]}",`)
	synctest.Test(t, func(t *testing.T) {
		for _, want := range []int{1, 0} {
			var out bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- watch.Run(ctx, m.server, event.New(zerolog.SyncWriter(&out))) }()
			synctest.Wait()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if n := strings.Count(out.String(), "shop: the cron tasks of its app.json run from its next push on"); n != want {
				t.Errorf("cron is told %d times, want %d:\n%s", n, want, &out)
			}
			if n := strings.Count(out.String(), "shop: CHECKS now replaces app.json's healthchecks for web"); n != want {
				t.Errorf("it is told %d times, want %d:\n%s", n, want, &out)
			}
		}
	})
}
