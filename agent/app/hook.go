package app

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Hook is an address that gets notifications about an app, or about all apps.
type Hook struct {
	// ID is a random name, for people and for the files of the queue.
	ID  string   `json:"id"`
	URL string   `json:"url"`
	On  []string `json:"on"` // of HookTopics
	// Format is one of HookFormats.
	Format string `json:"format"`
	// Secret signs the notifications: see HookKey.
	Secret string    `json:"secret"`
	Added  time.Time `json:"added"`
	By     string    `json:"by,omitempty"`
	// Private: somebody on the server itself added it, so it may lead to an address that is
	// not of the public internet.
	Private bool `json:"private,omitempty"`
}

// The topics of notifications.
const (
	TopicDeploy  = "deploy"
	TopicReject  = "reject"
	TopicCrash   = "crash"
	TopicRenew   = "renew"
	TopicRecover = "recover"
	TopicCron    = "cron"
	TopicBackup  = "backup"
)

// HookTopics are all topics, in the order of messages.
var HookTopics = []string{TopicDeploy, TopicReject, TopicCrash, TopicRenew, TopicRecover, TopicCron, TopicBackup}

// The formats of notifications.
const (
	FormatJSON  = "json"
	FormatSlack = "slack"
)

// HookFormats are all formats.
var HookFormats = []string{FormatJSON, FormatSlack}

// MaxHooks is the number of hooks that an app, or the server, may have.
const MaxHooks = 20

// secretPrefix begins a secret of Standard Webhooks, whose rest is base64
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
const secretPrefix = "whsec_"

// minSecret is the number of characters of the shortest secret.
const minSecret = 16

// NewHook returns a hook with an id and, without a secret, a generated one of 24 bytes. Its
// error is one for people, about what they gave.
func NewHook(address string, on []string, format, secret, by string) (Hook, error) {
	h := Hook{ID: strings.ToLower(rand.Text()[:8]), URL: address, On: slices.Clone(on), Format: cmp.Or(format, FormatJSON),
		Secret: secret, Added: time.Now().UTC().Truncate(time.Second), By: by}
	if secret == "" {
		var key [24]byte
		rand.Read(key[:])
		h.Secret = secretPrefix + base64.StdEncoding.EncodeToString(key[:])
	}
	if err := h.Check(); err != nil {
		return h, err
	}
	slices.SortFunc(h.On, func(a, b string) int { return slices.Index(HookTopics, a) - slices.Index(HookTopics, b) })
	h.On = slices.Compact(h.On)
	return h, nil
}

// Check returns an error unless a hook has an address, topics, a format and a secret that
// notify:add would take.
func (h Hook) Check() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.ContainsFunc(h.URL, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("invalid URL %q: give one of http or https, like https://hooks.example.com/deploys", h.URL)
	case u.Fragment != "":
		return fmt.Errorf("invalid URL %q: leave out the part from # on", h.URL)
	}
	if len(h.On) == 0 {
		return fmt.Errorf("no topics specified: --on takes some of %s", strings.Join(HookTopics, ","))
	}
	for _, topic := range h.On {
		if !slices.Contains(HookTopics, topic) {
			return fmt.Errorf("invalid topic %q: --on takes some of %s", topic, strings.Join(HookTopics, ","))
		}
	}
	if !slices.Contains(HookFormats, h.Format) {
		return fmt.Errorf("invalid format %q: it is one of %s", h.Format, strings.Join(HookFormats, ", "))
	}
	if len(h.Secret) < minSecret {
		return fmt.Errorf("invalid secret: it has %d characters and needs %d; without --secret one is generated", len(h.Secret), minSecret)
	}
	_, err = HookKey(h.Secret)
	return err
}

// HookKey returns the key with which a secret signs. A secret that begins with whsec_ is
// one of Standard Webhooks, in base64. Of any other one the bytes are the key.
func HookKey(secret string) ([]byte, error) {
	text, standard := strings.CutPrefix(secret, secretPrefix)
	if !standard {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("invalid secret: what follows %s has to be base64", secretPrefix)
	}
	return key, nil
}

// Shown returns the address for people. The path and the query of many services are a
// password, so they are hidden but for the first name of a longer path.
func (h Hook) Shown() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return Hidden
	}
	shown := u.Scheme + "://" + u.Host
	first, rest, more := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if more && rest != "" {
		shown += "/" + first
	}
	if first != "" || u.RawQuery != "" || u.User != nil {
		shown += "/" + Hidden
	}
	return shown
}

// Hidden stands for a secret: reports are pasted into public places.
const Hidden = "****"

// AddHook returns hooks with one more.
func AddHook(hooks []Hook, h Hook) ([]Hook, error) {
	if i := slices.IndexFunc(hooks, func(o Hook) bool { return o.URL == h.URL }); i >= 0 {
		return nil, fmt.Errorf("%s is notified already (%s): to change that, remove it first (notify:remove)", h.Shown(), hooks[i].ID)
	}
	if len(hooks) >= MaxHooks {
		return nil, fmt.Errorf("%d addresses are notified already, and more are not possible: remove one first (notify:remove)", len(hooks))
	}
	return append(slices.Clone(hooks), h), nil
}

// FindHook returns the place of the hook with an id or a URL.
func FindHook(hooks []Hook, word string) (int, error) {
	i := slices.IndexFunc(hooks, func(h Hook) bool { return h.ID == word || h.URL == word })
	if i < 0 {
		return 0, fmt.Errorf("no notification %q: give an id or a URL of notify:list", word)
	}
	return i, nil
}

// Public returns hooks without the right to an address that is not of the public internet:
// they come from elsewhere.
func Public(hooks []Hook) []Hook {
	hooks = slices.Clone(hooks)
	for i := range hooks {
		hooks[i].Private = false
	}
	return hooks
}
