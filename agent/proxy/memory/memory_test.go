package memory_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/memory"
)

func TestMemoryRecordsAndFails(t *testing.T) {
	m := memory.New()
	var calls []string
	refuse := ""
	m.Fail(func(call, app string) error {
		calls = append(calls, call+" "+app)
		if call == refuse {
			return errors.New("refused")
		}
		return nil
	})
	r := proxy.Route{App: "hello", Release: 1, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}}
	check(t, m.Stage(t.Context(), r))
	check(t, m.Publish(t.Context(), r))
	check(t, m.Publish(t.Context(), r))
	second := r
	second.Release = 2
	refuse = "publish"
	if err := m.Publish(t.Context(), second); err == nil {
		t.Error("the hook's error is lost")
	}
	if live, ok, err := m.Live(t.Context(), "hello"); !ok || err != nil || live.Release != 1 {
		t.Errorf("after a refusal live is %+v, %t, %v", live, ok, err)
	}
	refuse = ""
	check(t, m.Withdraw(t.Context(), "hello"))
	check(t, m.Withdraw(t.Context(), "hello"))
	var history []string
	for _, r := range m.Published() {
		history = append(history, fmt.Sprint(r.App, r.Release, len(r.Upstreams)))
	}
	if got := strings.Join(history, ", "); got != "hello1 1, hello0 0" {
		t.Errorf("history %s", got)
	}
	want := "stage hello, publish hello, publish hello, publish hello, live hello, withdraw hello, withdraw hello"
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("the hook was asked %s, want %s", got, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
