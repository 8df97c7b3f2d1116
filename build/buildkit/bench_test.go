package buildkit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/build/buildtest"
	"dokku/build/source"
)

// large is an app of 20,001 files and 200 MB.
func large(b *testing.B) (*app, files, string) {
	a := newApp(b)
	f := buildtest.ManyFiles(20_000, 10_000)
	return a, f, a.repo.Commit("", f)
}

// BenchmarkManifest reads, renews and writes the manifest of 20,000 files.
func BenchmarkManifest(b *testing.B) {
	tr := &source.Tree{Stats: source.Stats{Files: 20_000}}
	for i := range 20_000 {
		tr.Files = append(tr.Files, source.Entry{Path: fmt.Sprintf("some/folder%03d/file%05d.js", i/100, i), Mode: 0o100644, Size: 1000, Blob: blobID(byte(i))})
	}
	path := b.TempDir() + "/manifest"
	for b.Loop() {
		m, err := readManifest(path)
		if err != nil {
			b.Fatal(err)
		}
		m, _, _ = m.next(tr, time.Now())
		if err := writeManifest(path, m, tr); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLarge pushes 20,000 files of 200 MB through git and builds them,
// then a commit that changes 20 of them. It reports the hook's peak memory.
func BenchmarkLarge(b *testing.B) {
	for b.Loop() {
		a, f, one := large(b)
		to := newRepo(b)
		to.Hook()
		first := a.repo.push(to, a.name, a.manifest)
		next := files{}
		for path := range f {
			if len(next) < 20 && path != "Dockerfile" {
				next[path] = strings.Repeat("n", len(f[path]))
			}
		}
		a.repo.Commit(one, next)
		second := a.repo.push(to, a.name, a.manifest)
		if first.Failed+second.Failed != "" {
			b.Fatal(first.Failed, second.Failed)
		}
		if second.Result.BytesSent > 3_000_000 || second.Result.FilesChanged != 20 {
			b.Errorf("second push: %s", second.Result)
		}
		b.ReportMetric(first.Result.Duration.Seconds(), "first-s")
		b.ReportMetric(second.Result.Duration.Seconds(), "second-s")
		b.ReportMetric(float64(first.RSS>>20), "first-MiB-RSS")
		b.ReportMetric(float64(second.RSS>>20), "second-MiB-RSS")
		b.ReportMetric(float64(second.Result.BytesSent), "second-bytes-sent")
		if first.RSS > 100<<20 {
			b.Errorf("peak memory is %s", source.Bytes(first.RSS))
		}
	}
}
