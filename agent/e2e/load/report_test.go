package load

import (
	"strings"
	"testing"
	"time"
)

func TestWrongVersion(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	versions := []pushedVersion{{rev: "one"}, {rev: "two", accepted: at(10), live: at(20)}}
	for _, c := range []struct {
		rev         string
		first, last int
		says        string
	}{
		{"one", 1, 19, ""},
		{"one", 1, 21, "after two"},
		{"two", 11, 30, ""},
		{"two", 9, 30, "before it was accepted"},
		{"three", 11, 30, "never accepted"},
	} {
		_, text := versionReport{Rev: c.rev, First: at(c.first), Last: at(c.last)}.wrong(versions)
		if (text == "") != (c.says == "") || !strings.Contains(text, c.says) {
			t.Errorf("%s from %d to %d: %q, want %q", c.rev, c.first, c.last, text, c.says)
		}
	}
}

func TestWrongCertificate(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	list := []issued{{serial: "a", begun: at(1), live: at(2)}, {serial: "b", begun: at(10), live: at(12)}}
	for _, c := range []struct {
		serial      string
		first, last int
		says        string
	}{
		{"a", 1, 12, ""},
		{"a", 1, 13, "certificate 0 was served 1s after the next one was live"},
		{"b", 10, 99, ""},
		{"b", 9, 99, "certificate 1 was served 1s before it was the app's"},
		{"c", 9, 99, "certificate c was never the app's"},
	} {
		if _, text := (certificateReport{Serial: c.serial, First: at(c.first), Last: at(c.last)}).wrong(list); text != c.says {
			t.Errorf("%s from %d to %d: %q, want %q", c.serial, c.first, c.last, text, c.says)
		}
	}
}
