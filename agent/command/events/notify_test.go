package events

import "testing"

// TestPrivate: over ssh, an address of the documentation is refused as a private one is.
func TestPrivate(t *testing.T) {
	for url, want := range map[string]bool{
		"https://hooks.example.com/x": false, "https://8.8.8.8/": false, "https://[2606:4700::1111]:8443/": false,
		"http://localhost/": true, "http://127.0.0.1:1/x": true, "http://[::1]/": true, "http://10.0.0.1/": true, "http://[::ffff:10.0.0.1]/": true, "http://[fe80::1%25eth0]/": true,
		"http://192.0.2.1/": true, "http://198.51.100.1/": true, "http://203.0.113.1/": true, "http://[2001:db8::1]/": true, "http://[3fff::1]/": true, "http://198.18.0.1/": true, "http://240.0.0.1/": true,
	} {
		if got := private(url); got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
}
