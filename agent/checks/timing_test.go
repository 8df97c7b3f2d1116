package checks

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/event"
	"dokku/scale"
)

// outcome runs the gate in a bubble and returns what it printed, how long it took
// and its error.
func outcome(t *testing.T, plan Plan, h *host, targets ...Target) (printedText string, took time.Duration, err error) {
	t.Helper()
	var out printed
	start := time.Now()
	err = Gate(t.Context(), plan, targets, h, event.New(&out))
	return out.text(), time.Since(start), err
}

// TestPassesSoon: no WAIT is slept through. An answer after 40 ms passes soon after.
func TestPassesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{from: time.Now().Add(40 * time.Millisecond), h: says("ok")}
		plan := planFor(t, "WAIT=30\nATTEMPTS=10\n/ ok", "web")
		plan.Dial = p.dial
		out, took, err := outcome(t, plan, &host{}, target("web.1"))
		if err != nil || took > 80*time.Millisecond || strings.Contains(out, "Attempt") {
			t.Errorf("%v after %s:\n%s", err, took, out)
		}
	})
}

func TestAttemptsArePrintedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{from: time.Now().Add(12 * time.Second), h: says("ok")}
		plan := planFor(t, "/ ok", "web")
		plan.Dial = p.dial
		out, took, err := outcome(t, plan, &host{}, target("web.1"), target("web.2"))
		want := `-----> Running pre-flight checks: CHECKS, 2 checks for web
-----> Attempt 1/5 ...
       CHECKS expected result:
       web.1 http://localhost/ => "ok"                  connection refused
       web.2 http://localhost/ => "ok"                  connection refused
 !     Check attempt 1/5 failed.
-----> Attempt 2/5 ...
       CHECKS expected result:
       web.1 http://localhost/ => "ok"                  connection refused
       web.2 http://localhost/ => "ok"                  connection refused
 !     Check attempt 2/5 failed.
-----> Attempt 3/5 ...
`
		if err != nil || !strings.HasPrefix(out, want) || strings.Count(out, "200 in ") != 2 || strings.Count(out, "Attempt") != 3 {
			t.Errorf("%v:\n%s", err, out)
		}
		if took < 12*time.Second || took > 12300*time.Millisecond {
			t.Errorf("took %s", took)
		}
		if len(p.to) != 1 || !p.to["10.0.0.2:5000"] {
			t.Errorf("dialled %v", p.to)
		}
		if p.n > 120 {
			t.Errorf("%d connections in 12 s for two processes", p.n)
		}
	})
}

func TestFailsAfterTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planFor(t, "WAIT=2\nATTEMPTS=3\n/ ok\n/b", "web", "worker")
		plan.Dial = (&pipes{h: http.NotFoundHandler()}).dial
		out, took, err := outcome(t, plan, &host{ports: []int{5000}}, target("web.1"), target("worker.1"))
		f := failure(t, err)
		if took != 6*time.Second {
			t.Errorf("took %s", took)
		}
		if strings.Count(out, "Check attempt") != 3 || strings.Contains(out, "successful") {
			t.Errorf("printed\n%s", out)
		}
		if len(f.Attempts) != 3 || f.Attempts[2].Status != 404 || f.Attempts[2].Attempt != 3 || len(f.Also) != 1 || !f.Process.Running() {
			t.Errorf("%+v", f)
		}
		if f.Suggestion != "The app has no such page: correct the path in CHECKS:"+map[string]string{"http://localhost/": "3", "http://localhost/b": "4"}[f.Check.URL]+"." {
			t.Errorf("suggestion is %s", f.Suggestion)
		}
	})
}

// TestSlowAnswerInFlight: a request in flight when the budget ends keeps its own TIMEOUT.
func TestSlowAnswerInFlight(t *testing.T) {
	slow := func(d time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
				w.Write([]byte("ok"))
			case <-r.Context().Done():
			}
		}
	}
	for _, tt := range []struct {
		name  string
		after time.Duration
		took  time.Duration
		want  string
	}{
		{"in time", 8 * time.Second, 8 * time.Second, ""},
		{"too late", 20 * time.Second, 10 * time.Second, "no answer within 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := planFor(t, "WAIT=2\nATTEMPTS=1\nTIMEOUT=10\n/", "web")
				plan.Dial = (&pipes{h: slow(tt.after)}).dial
				out, took, err := outcome(t, plan, &host{}, target("web.1"))
				if took != tt.took {
					t.Errorf("took %s", took)
				}
				if !strings.Contains(out, "no answer yet after 2s") {
					t.Errorf("printed\n%s", out)
				}
				if tt.want == "" && err != nil {
					t.Error(err)
				} else if tt.want != "" && failure(t, err).Reason != tt.want {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestWorkerHasToStayUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg := target("worker.1")
		tg.Started = time.Now().Add(-4 * time.Second)
		out, took, err := outcome(t, planFor(t, "", "worker"), &host{}, tg)
		want := "-----> Running pre-flight checks: default, for worker\n       worker.1: 6s left to stay up\n       worker.1 up for 10s\n-----> All checks successful!"
		if err != nil || took != 6*time.Second || out != want {
			t.Errorf("%v after %s:\n%s", err, took, out)
		}
	})
}

// TestEndedProcessFailsAtOnce: a process that ends fails the gate at once, whatever its checks
// say.
func TestEndedProcessFailsAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Process
		want string
		hint string
	}{
		{"exit", Process{Status: StatusExited, ExitCode: 127}, "worker.1 exited with code 127", "The command was not found"},
		{"restart", Process{Status: StatusRunning, Restarts: 1, ExitCode: 1}, "worker.1 exited with code 1 and was restarted", "in its output"},
		{"memory", Process{Status: StatusExited, OOMKilled: true, ExitCode: 137}, "worker.1 ran out of memory", "memory limit"},
		{"killed", Process{Status: StatusExited, ExitCode: 137}, "worker.1 exited with code 137", "most likely its memory ran out"},
		{"done", Process{Status: StatusExited}, "worker.1 exited with code 0", "has to keep running"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := planFor(t, "/ ok", "web", "worker")
				plan.Dial = (&pipes{}).dial
				h := &host{}
				time.AfterFunc(3*time.Second, func() { h.set("worker.1", tt.in) })
				_, took, err := outcome(t, plan, h, target("web.1"), target("worker.1"))
				f := failure(t, err)
				if f.Error() != tt.want || !f.Ended() || f.Process.ExitCode != tt.in.ExitCode || !strings.Contains(f.Suggestion, tt.hint) {
					t.Errorf("%v: %s", f, f.Suggestion)
				}
				if took < 3*time.Second || took > 3*time.Second+lookEvery || len(f.Also) > 0 {
					t.Errorf("took %s, also %v", took, f.Also)
				}
			})
		})
	}
}

// TestEndedAfterItPassed: a process that passes and then ends before the others have passed,
// or right after the last check, has not passed.
func TestEndedAfterItPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		plan := planFor(t, "/ ok", "web")
		plan.Dial = (&pipes{h: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("ok"))
			h.set("web.1", Process{Status: StatusExited, ExitCode: 1})
		})}).dial
		_, _, err := outcome(t, plan, h, target("web.1"))
		if f := failure(t, err); f.Error() != "web.1 exited with code 1" {
			t.Error(f)
		}
	})
}

// TestSilentWebIsRejected: a web process has to listen on its port within listen-timeout.
// The message says where it listens instead, and what to do.
func TestSilentWebIsRejected(t *testing.T) {
	const longer = "\nIf it only needs longer: dokku checks:set shop listen-timeout 120. To accept it as Dokku does: dokku checks:set shop require-listening false"
	for _, tt := range []struct {
		host *host
		want string
		fix  string
	}{
		{&host{ports: []int{3000}}, "it listens on port 3000",
			"Let it listen on $PORT (5000), or EXPOSE 3000 in the Dockerfile, or lead requests there: dokku ports:set shop http:80:3000"},
		{&host{ports: []int{3000, 9229}, loopback: []int{5000}}, "it listens on ports 3000, 9229",
			"Let it listen on $PORT (5000), or EXPOSE 3000 in the Dockerfile, or lead requests there: dokku ports:set shop http:80:3000"},
		{&host{loopback: []int{3000, 5000}}, "it listens on 127.0.0.1:5000 only, which nothing outside of its container reaches",
			"Bind it to 0.0.0.0 instead of 127.0.0.1, on $PORT (5000)."},
		{&host{loopback: []int{3000}}, "it listens on 127.0.0.1:3000 only, which nothing outside of its container reaches",
			"Bind it to 0.0.0.0 instead of 127.0.0.1, on $PORT (5000)."},
		{&host{}, "it listens on no port",
			"Let it listen on 0.0.0.0:$PORT (5000). A process that gets no requests is a worker: name it worker in the Procfile."},
	} {
		synctest.Test(t, func(t *testing.T) {
			plan := planFor(t, "", "web")
			plan.Dial = (&pipes{}).dial
			out, took, err := outcome(t, plan, tt.host, target("web.1"))
			f := failure(t, err)
			if want := "web.1 does not accept connections on port 5000 after 30s: " + tt.want; f.Error() != want || took != 30*time.Second {
				t.Errorf("%v after %s", f, took)
			}
			if f.Suggestion != tt.fix+longer {
				t.Errorf("suggestion is %s", f.Suggestion)
			}
			if strings.Contains(out, "successful") {
				t.Errorf("it prints\n%s", out)
			}
		})
	}
}

// TestSilentWebIsAccepted: without require-listening, a web process is accepted as Dokku
// does it, but its checks are not called successful.
func TestSilentWebIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Resolve(Sources{App: map[string]string{"require-listening": "false"}})
		if err != nil {
			t.Fatal(err)
		}
		plan, _, err := NewPlan(Inputs{Types: []string{"web"}, Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		plan.Dial = (&pipes{}).dial
		out, took, err := outcome(t, plan, &host{ports: []int{3000}}, target("web.1"))
		want := "-----> Running pre-flight checks: default, for web\n" +
			" !     web.1 is up but does not accept connections on port 5000 after 10s: it listens on port 3000"
		if err != nil || took != 10*time.Second || out != want {
			t.Errorf("%v after %s:\n%s", err, took, out)
		}
	})
}

// TestSlowWebIsAwaited: default-wait does not shorten the time that web has to listen.
func TestSlowWebIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Resolve(Sources{App: map[string]string{"default-wait": "1"}})
		if err != nil {
			t.Fatal(err)
		}
		plan, _, err := NewPlan(Inputs{Types: []string{"web"}, Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		plan.Dial = (&pipes{from: time.Now().Add(20 * time.Second), h: says("ok")}).dial
		out, took, err := outcome(t, plan, &host{}, target("web.1"))
		if err != nil || took < 20*time.Second || took > 21*time.Second || !strings.HasSuffix(out, "-----> All checks successful!") {
			t.Errorf("%v after %s:\n%s", err, took, out)
		}
	})
}

// TestVanishedWebIsNotAccepted: a process that is gone does not pass because nothing is
// known about it.
func TestVanishedWebIsNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planFor(t, "", "web")
		plan.Settings.RequireListening = false
		plan.Dial = (&pipes{}).dial
		h := &host{err: errors.New("the engine is busy")}
		h.set("web.1", Process{Status: StatusRemoving})
		out, _, err := outcome(t, plan, h, target("web.1"))
		if err == nil || strings.Contains(out, "successful") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// TestFindPort: where no port is given, the one that the process listens on for a while is
// found, and never one that it may only open first.
func TestFindPort(t *testing.T) {
	for _, tt := range []struct {
		name string
		host *host
		from time.Duration // when its own port answers; 0: never
		want int
		took time.Duration // about
	}{
		{"its own port", &host{}, time.Second, 5000, time.Second},
		{"another port", &host{ports: []int{3000}}, 0, 3000, 10 * time.Second},
		{"another port first", &host{ports: []int{9229}}, 8 * time.Second, 5000, 8 * time.Second},
		{"two ports", &host{ports: []int{3000, 4000}}, 0, 5000, 30 * time.Second},
		{"loopback", &host{loopback: []int{3000}}, 0, 5000, 30 * time.Second},
		{"nowhere", &host{}, 0, 5000, 30 * time.Second},
		{"it ends", &host{instances: map[string]Process{"web.1": {Status: StatusExited, ExitCode: 1}}}, 0, 5000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := planFor(t, "", "web", "worker")
				p := &pipes{h: says("ok"), from: time.Now().Add(time.Hour)}
				if tt.from > 0 {
					p.from = time.Now().Add(tt.from)
				}
				plan.Dial = p.dial
				begun := time.Now()
				port, err := FindPort(t.Context(), plan, []Target{target("worker.1"), target("web.1")}, tt.host, event.Log{})
				took := time.Since(begun)
				if err != nil || port != tt.want || took < tt.took || took > tt.took+time.Second {
					t.Errorf("%d, %v after %s", port, err, took)
				}
			})
		})
	}
}

func jsonPlan(t *testing.T, typ, check string) Plan {
	t.Helper()
	app, err := scale.ParseAppJSON([]byte(`{"healthchecks": {"` + typ + `": [` + check + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := NewPlan(Inputs{App: "shop", Types: []string{typ}, AppJSON: app, Settings: Defaults()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCommandCheck(t *testing.T) {
	const check = `{"type": "startup", "command": ["ready"], "initialDelay": 3, "wait": 2, "attempts": 2, "timeout": 1}`
	synctest.Test(t, func(t *testing.T) {
		plan := jsonPlan(t, "worker", check)
		plan.Exec = &exec{[]int{1, 1, 0}}
		out, took, err := outcome(t, plan, &host{}, target("worker.1"))
		if err != nil || took != 3*time.Second+lastRetry+lastRetry*3/2 {
			t.Errorf("%v after %s:\n%s", err, took, out)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		plan := jsonPlan(t, "worker", check)
		plan.Exec = &exec{[]int{7}}
		_, took, err := outcome(t, plan, &host{}, target("worker.1"))
		if f := failure(t, err); f.Reason != "exit code 7: not ready" || took != 7*time.Second {
			t.Errorf("%v after %s", f, took)
		}
	})
}

// TestOnFailure: the command runs once in the failed process, also if the failure only warns,
// and does not change the outcome.
func TestOnFailure(t *testing.T) {
	for _, warn := range []string{"true", "false"} {
		synctest.Test(t, func(t *testing.T) {
			plan := jsonPlan(t, "web", `{"type": "startup", "listening": true, "attempts": 1, "warn": `+warn+`, "onFailure": {"command": ["tell", "me"]}}`)
			plan.Dial, plan.Exec = (&pipes{}).dial, &exec{[]int{4}}
			out, _, err := outcome(t, plan, &host{}, target("web.1"))
			if (err == nil) != (warn == "true") || strings.Count(out, "-----> Running onFailure command in web.1: tell me\n") != 1 ||
				!strings.Contains(out, "not tell") || !strings.Contains(out, "onFailure command: exit code 4") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

func TestWarnOnlyCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := jsonPlan(t, "web", `{"type": "startup", "listening": true, "warn": true, "attempts": 1}`)
		plan.Dial = (&pipes{}).dial
		out, _, err := outcome(t, plan, &host{}, target("web.1"))
		if err != nil || !strings.Contains(out, " !     web.1 accepts connections on port 5000: connection refused, which is accepted (warn)") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the client went away")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		plan := planFor(t, "/ ok", "web", "worker")
		plan.Dial = (&pipes{}).dial
		start := time.Now()
		err := Gate(ctx, plan, []Target{target("web.1"), target("worker.1")}, &host{}, event.Log{})
		if !errors.Is(err, gone) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestEngineGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{err: errors.New("no socket")}
		_, took, err := outcome(t, planFor(t, "WAIT=30\n/", "worker"), h, target("worker.1"))
		want := "cannot look at worker.1: no socket; is the engine running?"
		if err == nil || err.Error() != want || took > lookFor+lookEvery {
			t.Errorf("%v after %s", err, took)
		}
	})
}

func TestPrintFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planFor(t, "WAIT=1\nATTEMPTS=1\n/ ok", "web")
		plan.Dial = (&pipes{}).dial
		h := &host{ports: []int{3000}}
		_, _, err := outcome(t, plan, h, target("web.1"))
		var out printed
		failure(t, err).Print(event.New(&out), "hello", []string{"booting", "\x1b[31mready"})
		want := ` !     web.1 http://localhost/ => "ok": connection refused
       web.1 still runs, memory did not run out
=====> hello container output:
       booting
       ready
=====> end hello container output
 !     Could not start due to 1 failed checks.
       Nothing accepted a connection on port 5000: it listens on port 3000. Let it listen on $PORT (5000), or EXPOSE 3000 in the Dockerfile, or lead requests there: dokku ports:set shop http:80:3000
       If it only needs longer to start, raise WAIT or ATTEMPTS.`
		if out.text() != want {
			t.Errorf("got\n%s", out.text())
		}
	})
}
