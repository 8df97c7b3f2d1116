package app

import (
	"slices"
	"testing"
)

// TestSecrets: a release command printed its environment, and everybody who may push or read
// logs saw the passwords.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		want        []string
	}{
		{"SECRET_KEY_BASE", "0123456789abcdef", []string{"0123456789abcdef"}},
		{"api_key", "abcdef", []string{"abcdef"}},
		{"NPM_TOKEN", "npm_x1y2z3", []string{"npm_x1y2z3"}},
		{"PRIVATE_KEY", "-----BEGIN-----\nAAAABBBB\nxyz\n-----END-----\n", []string{"-----BEGIN-----", "AAAABBBB", "-----END-----"}},
		{"DATABASE_URL", "postgres://app:s3cr3tword@db:5432/app", []string{"s3cr3tword"}},
		{"REDIS", "redis://:s3cr3tword@cache:6379", []string{"s3cr3tword"}},
		{"DATABASE_URL", "postgres://app:s3cr%2Ft@db/app", []string{"s3cr/t", "s3cr%2Ft"}},
		{"PASSWORD", "short", nil},
		{"NODE_ENV", "production", nil},
		{"KEYBOARD", "qwertyuiop", nil},
		{"MONKEY", "qwertyuiop", nil},
		{"TOKEN_URL", "https://auth.example.com/token", nil},
		{"AUTHOR", "somebody", nil},
	} {
		if got := Secrets(map[string]string{c.name: c.value}); !slices.Equal(got, c.want) {
			t.Errorf("%s=%s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}
