package vault

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/journal"
)

// TestBackupDeadline: a backup that hangs ends at its deadline and is a failure. Others are
// made meanwhile, and one that ignores its deadline is told.
func TestBackupDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := t.TempDir()
		job := func(name string, dump func(context.Context, io.Writer) error) Job {
			src := source(name)
			src.Item = name
			if dump != nil {
				src.Dump = dump
			}
			j := Job{Vault: newVault(t), Source: src, About: name}
			check(t, j.Change(t.Context(), time.Now(), func(p *Plan) error {
				p.Place, p.Schedule, p.Timeout = filepath.Join(place, name), "@hourly", "30m"
				return nil
			}))
			return j
		}
		stuck := make(chan struct{})
		hanging := job("hanging", func(ctx context.Context, w io.Writer) error {
			io.WriteString(w, "a part")
			<-ctx.Done()
			return ctx.Err()
		})
		jobs := []Job{hanging, job("one", nil), job("two", nil), job("three", nil)}
		var mu sync.Mutex // of jobs and told
		var told []string
		r := &Runner{Jobs: func() ([]Job, error) { mu.Lock(); defer mu.Unlock(); return jobs, nil }, Tell: func(e journal.Event) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s %s: %s", time.Now().Format("04"), e.Text, e.Error))
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := make(chan struct{})
		start := time.Now().Truncate(time.Hour).Add(time.Hour)
		go func() { defer close(end); r.Run(ctx, time.Minute) }()
		time.Sleep(time.Until(start) + 45*time.Minute)
		synctest.Wait()
		mu.Lock()
		slices.Sort(told)
		if got := len(told); got != 4 || !strings.HasPrefix(told[3], "3") || !strings.HasSuffix(told[3], "hanging: it did not end within 30 minutes") {
			t.Errorf("told is %q", told)
		}
		for _, line := range told[:3] {
			if !strings.HasPrefix(line, "0") || !strings.HasSuffix(line, ": ") {
				t.Errorf("beside it: %q", line)
			}
		}
		if got, err := hanging.Ailment(time.Now()); err != nil || !strings.Contains(got, "failed: it did not end within 30 minutes") {
			t.Errorf("the ailment is %q, %v", got, err)
		}

		// It ignores the end of its time.
		deaf := job("deaf", func(context.Context, io.Writer) error { <-stuck; return nil })
		jobs = []Job{deaf}
		mu.Unlock()
		time.Sleep(time.Until(start) + time.Hour + 34*time.Minute)
		if got, err := deaf.Ailment(time.Now()); err != nil || got != "" {
			t.Errorf("within its time, the ailment is %q, %v", got, err)
		}
		time.Sleep(4 * time.Minute)
		if got, err := deaf.Ailment(time.Now()); err != nil || !strings.Contains(got, "hangs: it had to end within 30 minutes") {
			t.Errorf("the ailment is %q, %v", got, err)
		}
		close(stuck)
		synctest.Wait()
		if got, err := deaf.Ailment(time.Now()); err != nil || !strings.Contains(got, "failed: it did not end within 30 minutes") {
			t.Errorf("after its end, the ailment is %q, %v", got, err)
		}
		cancel()
		<-end
	})
}

func TestParseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "90m": 90 * time.Minute, "6h": 6 * time.Hour, "168h": 168 * time.Hour} {
		if got, err := ParseTimeout(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"0s", "59s", "169h", "soon", "5", "-1h"} {
		if _, err := ParseTimeout(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if (Plan{}).Limit() != 12*time.Hour || (Plan{Timeout: "1h"}).Limit() != time.Hour || (Plan{Timeout: "1s"}).Check() == nil {
		t.Error("the limit of a plan is not its timeout")
	}
}
