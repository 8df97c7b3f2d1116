package engine

import (
	"strings"
	"testing"
)

// TestRights: docker options add to the capabilities of a restricted container, and take away
// from them; those of others are as the options say.
func TestRights(t *testing.T) {
	all := strings.Join(Capabilities, " ")
	for _, test := range []struct {
		restricted bool
		add, drop  string
		want       string
	}{
		{false, "", "", " without "},
		{false, "NET_ADMIN", "MKNOD", "NET_ADMIN without MKNOD"},
		{true, "", "", all + " without ALL"},
		{true, "NET_ADMIN KILL", "", all + " NET_ADMIN without ALL"},
		{true, "", "KILL CHOWN MKNOD", "DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE SETGID SETPCAP SETUID without ALL"},
		{true, "NET_ADMIN", "ALL", "NET_ADMIN without ALL"},
		{true, "ALL", "MKNOD", "ALL without MKNOD"},
	} {
		add, drop := Spec{Restricted: test.restricted, Options: Options{CapAdd: strings.Fields(test.add), CapDrop: strings.Fields(test.drop)}}.Rights()
		if got := strings.Join(add, " ") + " without " + strings.Join(drop, " "); got != test.want {
			t.Errorf("restricted %t, +%s -%s: %s, want %s", test.restricted, test.add, test.drop, got, test.want)
		}
	}
}
