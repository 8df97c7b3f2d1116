package event

import (
	"io"
	"os"
	"testing"
)

// TestStreams passes two pipes on by their descriptors, and takes nothing else for them.
func TestStreams(t *testing.T) {
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer outR.Close()
	defer errR.Close()
	value := Streams{Out: int(outW.Fd()), Errs: int(errW.Fd()), Colour: true}.String()
	out, errs, ok := OpenStreams(value)
	if !ok || !Coloured(out) || !Coloured(errs) {
		t.Fatalf("%q: %t", value, ok)
	}
	io.WriteString(out, "out")
	io.WriteString(errs, "errs")
	outW.Close()
	errW.Close()
	for want, r := range map[string]io.Reader{"out": outR, "errs": errR} {
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, value := range []string{"", "4", "1,2,true", "900,901,true", "-1,-2,false", "a,b,c", "4,5,maybe"} {
		if _, _, ok := OpenStreams(value); ok {
			t.Errorf("%q names streams", value)
		}
	}
}
