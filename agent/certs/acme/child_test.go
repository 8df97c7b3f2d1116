package acme_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"dokku/agent/certs/acme"
	"dokku/agent/disk"
)

// childVariable has the work of a process that a test starts, as JSON.
const childVariable = "DOKKU_TEST_ACME"

// work is what such a process does: it stores the account's key, prints the thumbprint and
// then, if Name is set, orders a certificate.
type work struct {
	Directory, Bundle, Accounts string
	Name                        string
	KillAfter                   int64 // operations on the disk; 0: never
	// Post, if set, is all that it does: it sends its arguments there.
	Post string
}

func child(text string) {
	var w work
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		log.Fatal(err)
	}
	if w.Post != "" {
		resp, err := http.Post(w.Post, "text/plain", strings.NewReader(strings.Join(os.Args[1:], " ")))
		if err != nil || resp.StatusCode != 200 {
			log.Fatal(resp, err)
		}
		return
	}
	var done atomic.Int64
	d := disk.Disk{Watch: func(disk.Op) {
		if done.Add(1) == w.KillAfter {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}}
	c := acme.New(acme.Config{Directory: w.Directory, Bundle: w.Bundle, Accounts: w.Accounts, Disk: d})
	thumbprint, err := c.Thumbprint()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(thumbprint)
	if w.Name != "" {
		c.Obtain(context.Background(), acme.Order{Names: []string{w.Name}})
	}
}

// env is the environment of such a process.
func (w work) env(t *testing.T) []string {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), childVariable+"="+string(text))
}
