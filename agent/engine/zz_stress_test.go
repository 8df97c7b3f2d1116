package engine_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"dokku/agent/engine"
)

func TestZZStress(t *testing.T) {
	d := newDocker(t)
	app := "zzstress"
	id := busybox(t, d, app)
	n, err := d.Network(t.Context(), app)
	if err != nil { t.Fatal(err) }
	var wg sync.WaitGroup
	var mu sync.Mutex
	bad := map[int]int{}
	for g := range 4 {
		wg.Go(func() {
			for k := range 30 {
				var b bytes.Buffer
				last, err := engine.RunOnce(t.Context(), d, engine.Spec{App: app, Kind: engine.KindRelease, Name: fmt.Sprintf("zz.%d.%d", g, k), Image: id, Command: []string{"sh", "-c", "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; exit 3"}}, &b)
				if err != nil || last.ExitCode != 3 { t.Error(err, last.ExitCode) }
				c := bytes.Count(b.Bytes(), []byte("\n"))
				if c != 500 { mu.Lock(); bad[c]++; mu.Unlock() }
			}
		})
	}
	wg.Wait()
	t.Log("incomplete:", bad)
	// timings
	var ids []string
	addr := n.Gateway
	for k := range 5 {
		addr = addr.Next()
		at := time.Now()
		i, err := d.Start(t.Context(), engine.Spec{App: app, Kind: engine.KindDeploy, Type: "web", Index: k, Name: fmt.Sprintf("zzt.%d", k), Image: id, Address: addr, Command: []string{"sleep", "1000"}})
		if err != nil { t.Fatal(err) }
		t.Log("start", time.Since(at))
		ids = append(ids, i.ID)
	}
	for range 5 {
		at := time.Now()
		o, err := d.Observe(t.Context(), app)
		t.Log("observe", time.Since(at), len(o.Instances), err)
	}
	at := time.Now()
	d.ListeningPorts(t.Context(), ids[0])
	t.Log("ports", time.Since(at))
	at = time.Now()
	d.Stop(t.Context(), ids[0], 0)
	t.Log("stop kill", time.Since(at))
	for _, i := range ids { at := time.Now(); d.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i}); t.Log("rm", time.Since(at)) }
	at = time.Now()
	if err := d.Remove(t.Context(), engine.Resource{Kind: engine.NetworkKind, ID: n.ID}); err != nil { t.Error(err) }
	t.Log("rmnet", time.Since(at))
	at = time.Now()
	n, _ = d.Network(t.Context(), app); t.Log("mknet", time.Since(at))
	at = time.Now()
	n, _ = d.Network(t.Context(), app); t.Log("getnet", time.Since(at))
	d.Remove(t.Context(), engine.Resource{Kind: engine.NetworkKind, ID: n.ID})
}
