package buildkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"dokku/build/buildtest"
)

// BenchmarkLoad builds an app of which one small file has changed, with the engine and with a
// daemon, which has to load the whole image into the engine: of some bytes, and of 200 MB that
// stay the same.
func BenchmarkLoad(b *testing.B) {
	d := buildtest.NewDaemon(b, nil)
	for _, size := range []int{0, 200 << 20} {
		big := make([]byte, size)
		rand.Read(big)
		for name, socket := range map[string]string{"engine": "", "own": d.Socket} {
			b.Run(fmt.Sprintf("%d MB/%s", size>>20, name), func(b *testing.B) {
				a := newApp(b)
				a.daemon = socket
				rev := a.repo.Commit("", files{"100755 bin/sh": busybox(b), "Dockerfile": "FROM scratch\nCOPY bin /bin/\nCOPY big /\nCOPY small /\n", "big": a.name + string(big), "small": "0"})
				a.build(rev)
				for n := 0; b.Loop(); n++ {
					b.StopTimer()
					rev = a.repo.Commit(rev, files{"small": fmt.Sprint(n)})
					r := a.request(rev)
					b.StartTimer()
					if _, err := a.solve(context.Background(), r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
