package machine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy/nginx/nginxtest"
	"dokku/hooks/sshtest"
)

// A bench is a server as install.sh sets it up, on loopback: the built program, an
// sshd and an nginx.
type bench struct {
	root, binary, url string
	nginx             *nginxtest.Server
	ssh               *sshtest.Server
}

func newBench(b *testing.B) *bench {
	b.Helper()
	dir := b.TempDir()
	m := &bench{root: filepath.Join(dir, "root"), binary: filepath.Join(dir, "dokku"),
		nginx: nginxtest.NewServer(b, "server { listen PORT default_server; return 404; }")}
	must(b, os.Chmod(dir, 0o755))
	b.Setenv("CGO_ENABLED", "0")
	run(b, "", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", m.binary, "dokku")
	must(b, os.MkdirAll(filepath.Join(m.root, ".dokku"), 0o755))
	must(b, os.Symlink(m.nginx.Dir, filepath.Join(m.root, ".dokku", "nginx")))
	settings, err := json.Marshal(map[string]any{"version": 1, "domains": []string{"bench.test"}, "pool": "10.160.0.0/16",
		"checks": map[string]string{"wait-to-retire": "0"},
		"nginx":  map[string]any{"port": m.nginx.Port, "log_dir": m.nginx.Logs, "check": m.nginx.Config().Check, "reload": m.nginx.Config().Reload}})
	must(b, err)
	must(b, os.WriteFile(filepath.Join(m.root, ".dokku", "server.json"), settings, 0o600))
	m.serve(b, dir)
	agent := exec.Command(m.binary, "agent")
	must(b, agent.Start())
	b.Cleanup(func() { agent.Process.Signal(os.Interrupt); agent.Wait() })
	return m
}

// serve starts the sshd. One key is the admin's. The other reaches git directly, so
// that the floor pushes over the same sshd.
func (m *bench) serve(b *testing.B, dir string) {
	b.Setenv("DOKKU_ROOT", m.root)
	key, plain := sshtest.Key(b, filepath.Join(dir, "key")), sshtest.Key(b, filepath.Join(dir, "plain"))
	run(b, dir, m.binary, "ssh-keys:add", "bench", key+".pub")
	pub, err := os.ReadFile(plain + ".pub")
	must(b, err)
	authorized := filepath.Join(m.root, ".ssh", "authorized_keys")
	keys, err := os.OpenFile(authorized, os.O_APPEND|os.O_WRONLY, 0)
	must(b, err)
	keys.Write(pub)
	must(b, keys.Close())
	// A shell that reads no start-up files, like the shell of the user dokku.
	m.ssh = sshtest.Start(b, dir, authorized, "SetEnv HOME="+dir)
	m.url = m.ssh.URL
	m.as(b, "key")
}

// as makes git use the given key.
func (m *bench) as(b *testing.B, key string) {
	b.Setenv("GIT_SSH_COMMAND", strings.Join(m.ssh.Client(filepath.Join(filepath.Dir(m.root), key)), " "))
}

// newWork makes an app of one file, served by busybox.
func newWork(b *testing.B) string {
	dir := b.TempDir()
	busybox, err := os.ReadFile("/bin/busybox")
	must(b, err)
	must(b, os.WriteFile(filepath.Join(dir, "busybox"), busybox, 0o755))
	must(b, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY busybox /bin/busybox\nCOPY index.html /www/index.html\n"+
		"EXPOSE 5000\nCMD [\"/bin/busybox\",\"httpd\",\"-f\",\"-p\",\"5000\",\"-h\",\"/www\"]\n"), 0o644))
	run(b, dir, "git", "init", "-q", "-b", "main")
	run(b, dir, "git", "config", "gc.auto", "0") // nothing in the background
	return dir
}

func commit(b *testing.B, dir, version string) {
	must(b, os.WriteFile(filepath.Join(dir, "index.html"), []byte(version+"\n"), 0o644))
	run(b, dir, "git", "add", "-A")
	run(b, dir, "git", "-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qm", version)
}

// BenchmarkPush times a push of a one-line change until the new version answers,
// alternating with the floor on the same files. x-floor is the median of the pairs'
// ratios.
func BenchmarkPush(b *testing.B) {
	m := newBench(b)
	work, bare := newWork(b), filepath.Join(b.TempDir(), "bare")
	f := newFloor(b, bare, "bridge")
	b.Cleanup(func() { exec.Command(m.binary, "--force", "apps:destroy", "bench").Run() })
	var ours, floors, ratios []float64
	round := func(version string) (time.Duration, time.Duration) {
		commit(b, work, version)
		m.as(b, "key")
		start := time.Now()
		push := exec.Command("git", "push", "-q", m.url+"/bench", "main")
		push.Dir = work
		must(b, push.Start())
		answered(b, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.nginx.Port)), "bench.bench.test", version)
		took := time.Since(start)
		must(b, push.Wait())
		m.as(b, "plain")
		return took, f.deploy(b, work, m.url+bare, version)
	}
	round("warm")
	n := 0
	for b.Loop() {
		n++
		a, z := round(fmt.Sprint("v", n))
		ours, floors, ratios = append(ours, a.Seconds()), append(floors, z.Seconds()), append(ratios, a.Seconds()/z.Seconds())
	}
	b.ReportMetric(median(ours)*1000, "ms-push")
	b.ReportMetric(median(floors)*1000, "ms-floor")
	b.ReportMetric(median(ratios), "x-floor")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRollback times a rollback of an app of one container until the earlier version
// answers, alternating with the start of one such container on such a network up to its
// first answer. Nobody asks while a container starts: each answer costs the present version
// a process. x-floor is the median of the pairs' ratios: less than 1.5 is right.
func BenchmarkRollback(b *testing.B) {
	m := newBench(b)
	work, bare := newWork(b), filepath.Join(b.TempDir(), "bare")
	f := newFloor(b, bare, "floor")
	b.Cleanup(func() { exec.Command(m.binary, "--force", "apps:destroy", "bench").Run() })
	versions := []string{"one", "two"}
	m.as(b, "key")
	for n, version := range versions {
		commit(b, work, version)
		run(b, work, "git", "push", "-q", m.url+"/bench", "main")
		run(b, "", m.binary, "releases:pin", "bench", strconv.Itoa(n+1))
	}
	m.as(b, "plain")
	f.deploy(b, work, m.url+bare, versions[1])
	var ours, floors, ratios []float64
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		rollback := exec.Command(m.binary, "releases:rollback", "bench", strconv.Itoa(n%2+1))
		out, err := rollback.StdoutPipe()
		must(b, err)
		must(b, rollback.Start())
		said := bufio.NewScanner(out)
		for said.Scan() && !strings.Contains(said.Text(), "All checks successful") {
		}
		answered(b, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.nginx.Port)), "bench.bench.test", versions[n%2])
		took := time.Since(start)
		io.Copy(io.Discard, out)
		must(b, rollback.Wait())
		floor := f.start(b, versions[1])
		ours, floors, ratios = append(ours, took.Seconds()), append(floors, floor.Seconds()), append(ratios, took.Seconds()/floor.Seconds())
	}
	b.ReportMetric(median(ours)*1000, "ms-rollback")
	b.ReportMetric(median(floors)*1000, "ms-floor")
	b.ReportMetric(median(ratios), "x-floor")
	b.ReportMetric(0, "ns/op")
}

// reading lists the read-only commands in order of cost. The last ones show running
// containers and have to ask the engine.
var reading = []string{"help", "apps:list", "apps:exists bench", "ps:scale bench", "ps:scale bench --format json", "ps:report bench --deployed",
	"config:show bench", "config:keys bench", "config:export bench", "config:get bench KEY", "domains:report bench", "checks:report bench",
	"proxy:report bench", "nginx:report bench", "git:report bench", "urls bench", "ssh-keys:list",
	"ps:report bench", "ps bench", "ps:inspect bench", "logs bench"}

// BenchmarkRead times read-only commands, alternating with dokku version. It reports
// the median extra time over version, and the median ratio.
func BenchmarkRead(b *testing.B) {
	m := newBench(b)
	work := newWork(b)
	commit(b, work, "one")
	run(b, work, "git", "push", "-q", m.url+"/bench", "main")
	b.Cleanup(func() { exec.Command(m.binary, "--force", "apps:destroy", "bench").Run() })
	run(b, "", m.binary, "config:set", "--no-restart", "bench", "KEY=value")
	for _, command := range reading {
		b.Run(strings.ReplaceAll(command, " ", "_"), func(b *testing.B) {
			var more, ratios []float64
			for b.Loop() {
				version := timed(b, m.binary, "version").Seconds()
				took := timed(b, m.binary, strings.Fields(command)...).Seconds()
				more, ratios = append(more, (took-version)*1000), append(ratios, took/version)
			}
			b.ReportMetric(median(more), "ms-over-version")
			b.ReportMetric(median(ratios), "x-version")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLarge pushes 20,000 files of 200 MB in total, then changes 20 of them. It
// reports the hook's peak memory and the bytes sent to the engine.
func BenchmarkLarge(b *testing.B) {
	for b.Loop() {
		m := newBench(b)
		work := newWork(b)
		fill(b, work)
		commit(b, work, "one")
		b.Cleanup(func() { exec.Command(m.binary, "--force", "apps:destroy", "large").Run() })
		first, _ := m.watchedPush(b, work)
		for i := range 20 {
			path := filepath.Join(work, "data", strconv.Itoa(i), "0")
			must(b, os.WriteFile(path, content(1_000_000+i), 0o644))
		}
		commit(b, work, "two")
		second, sent := m.watchedPush(b, work)
		b.ReportMetric(max(first, second), "MB-peak")
		b.ReportMetric(sent, "MB-sent")
		b.ReportMetric(0, "ns/op")
	}
}

func fill(b *testing.B, work string) {
	for d := range 200 {
		dir := filepath.Join(work, "data", strconv.Itoa(d))
		must(b, os.MkdirAll(dir, 0o755))
		for f := range 100 {
			must(b, os.WriteFile(filepath.Join(dir, strconv.Itoa(f)), content(d*100+f), 0o644))
		}
	}
	must(b, os.WriteFile(filepath.Join(work, "Dockerfile"), []byte("FROM scratch\nCOPY . /\n"+
		"EXPOSE 5000\nCMD [\"/busybox\",\"httpd\",\"-f\",\"-p\",\"5000\",\"-h\",\"/\"]\n"), 0o644))
}

// began makes each run's content unique, because the engine caches earlier runs.
var began = uint32(time.Now().UnixNano())

// content is 10 kB that neither git nor the engine can compress.
func content(seed int) []byte {
	out := make([]byte, 10_000)
	x := (uint32(seed)+began)*2654435761 | 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x)
	}
	return out
}

var sentPattern = regexp.MustCompile(`, (?:sending )?([0-9.]+) (B|kB|MB)(?: sent)?\)`)

// watchedPush pushes and returns the hook's peak memory and the bytes sent, in MB.
func (m *bench) watchedPush(b *testing.B, work string) (peak, sent float64) {
	ctx, stop := context.WithCancel(context.Background())
	watched := make(chan float64)
	go func() { watched <- watchHook(ctx) }()
	out := run(b, work, "git", "push", m.url+"/large", "main")
	stop()
	peak = <-watched
	found := sentPattern.FindStringSubmatch(out)
	if found == nil || peak == 0 {
		b.Fatalf("the push does not say what it sent, or its hook was not seen (%v MB):\n%s", peak, out)
	}
	sent, err := strconv.ParseFloat(found[1], 64)
	must(b, err)
	return peak, sent * map[string]float64{"B": 1e-6, "kB": 1e-3, "MB": 1}[found[2]]
}

// watchHook returns the peak memory, in MB, of the processes called pre-receive
// until ctx is done.
func watchHook(ctx context.Context) (peak float64) {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for ctx.Err() == nil {
		<-t.C
		names, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, name := range names {
			if comm, _ := os.ReadFile(name); strings.TrimSpace(string(comm)) != "pre-receive" {
				continue
			}
			status, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
			if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
				peak = max(peak, kb/1024)
			}
		}
	}
	return peak
}

// answered returns once the address answers with the text.
func answered(b *testing.B, address, host, want string) {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	req, err := http.NewRequest("GET", "http://"+address+"/", nil)
	must(b, err)
	req.Host = host
	// The old version answers in the meantime, with a process per request. More
	// frequent polling would take CPU time from the measured push.
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-retry.C {
		resp, err := c.Do(req)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.TrimSpace(string(body)) == want {
			return
		}
	}
	b.Fatalf("%s does not answer %q", address, want)
}

func timed(b *testing.B, name string, args ...string) time.Duration {
	start := time.Now()
	run(b, "", name, args...)
	return time.Since(start)
}

func run(b *testing.B, dir, name string, args ...string) string {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}
