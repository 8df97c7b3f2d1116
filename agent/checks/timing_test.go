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
		want := "-----> Running pre-flight checks: default, for worker\n       worker.1 up for 10s\n-----> All checks successful!"
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

func TestSilentWebIsAcceptedWithAWarning(t *testing.T) {
	for _, tt := range []struct {
		ports []int
		want  string
	}{
		{[]int{3000}, "it listens on port 3000; let it listen on $PORT (5000), or EXPOSE 3000 in the Dockerfile"},
		{[]int{5000}, "it listens on port 5000 of its loopback address only; bind it to 0.0.0.0"},
		{nil, "it listens on no port; let it listen on $PORT (5000)"},
	} {
		synctest.Test(t, func(t *testing.T) {
			plan := planFor(t, "", "web")
			plan.Dial = (&pipes{}).dial
			out, took, err := outcome(t, plan, &host{ports: tt.ports}, target("web.1"))
			want := " !     web.1 is up but does not accept connections on port 5000 after 10s: " + tt.want + "\n-----> All checks successful!"
			if err != nil || took != 10*time.Second || !strings.HasSuffix(out, want) {
				t.Errorf("%v after %s:\n%s", err, took, out)
			}
		})
	}
}

func jsonPlan(t *testing.T, typ, check string) Plan {
	t.Helper()
	app, err := scale.ParseAppJSON([]byte(`{"healthchecks": {"` + typ + `": [` + check + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := NewPlan([]string{typ}, nil, app, Defaults())
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
       Nothing accepted a connection: it listens on port 3000; let it listen on $PORT (5000), or EXPOSE 3000 in the Dockerfile; if it only needs longer to start, raise WAIT or ATTEMPTS.`
		if out.text() != want {
			t.Errorf("got\n%s", out.text())
		}
	})
}
