package proc_test

import (
	"os/user"
	"testing"

	"dokku/agent/proc"
)

func TestPerson(t *testing.T) {
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"DOKKU_USER": "admin", "SUDO_USER": "anna"}, "admin"},
		{map[string]string{"SUDO_USER": "anna"}, "anna"},
		{nil, self.Username},
	} {
		if got := proc.Person(func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("with %v it is %q, want %q", test.env, got, test.want)
		}
	}
}
