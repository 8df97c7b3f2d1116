package notify

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/journal"
)

// topics are the topics of the kinds of events that hooks can ask for.
var topics = map[journal.Kind]string{
	journal.Deploy: app.TopicDeploy, journal.Reject: app.TopicReject, journal.Crash: app.TopicCrash, journal.Renew: app.TopicRenew,
	journal.Cron: app.TopicCron, journal.Backup: app.TopicBackup,
	journal.Recover: app.TopicRecover, journal.Mend: app.TopicRecover, journal.Undo: app.TopicRecover,
}

// Topic returns the topic of an event; "": no hook gets it.
func Topic(e journal.Event) string {
	if e.Event == journal.Backup && e.Error == "" {
		return "" // one that was made is no news
	}
	return topics[e.Event]
}

// Body returns an event as a hook of a format gets it.
func Body(format string, e journal.Event) ([]byte, error) {
	if format == app.FormatSlack {
		return json.Marshal(map[string]string{"text": escaped.Replace(Text(e))})
	}
	return json.Marshal(e)
}

// escaped keeps a commit's subject from mentioning a channel or hiding a link
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Text returns an event as one line for people: "shop: deployed v12 3f2c1d9 Fix the login
// by ci (deploy 17): http://shop.example.com".
func Text(e journal.Event) string {
	verb := map[journal.Kind]string{journal.Deploy: "deployed", journal.Reject: "rejected", journal.Undo: "undone", journal.Crash: "crashed",
		journal.Recover: "recovered", journal.Mend: "mended", journal.Renew: "certificate", journal.Cron: "cron task", journal.Backup: "backup", journal.Test: "test"}[e.Event]
	text := fmt.Sprintf("%s: %s %s", cmp.Or(e.App, e.Host), cmp.Or(verb, string(e.Event)), e.Describe())
	if e.By != "" && (e.Event == journal.Deploy || e.Event == journal.Reject) {
		text += " by " + e.By
	}
	if e.URL != "" {
		text += " - " + e.URL
	}
	return text
}

// Sign returns the headers of a message: those of Standard Webhooks 1.0. Its key signs
// "ID.TIMESTAMP.BODY".
func Sign(secret, id string, at time.Time, body []byte) (map[string]string, error) {
	key, err := app.HookKey(secret)
	if err != nil {
		return nil, err
	}
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	return map[string]string{"webhook-id": id, "webhook-timestamp": stamp,
		"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}, nil
}

// NewTest returns the notification of notify:test.
func NewTest(owner, by string) *Notification {
	return &Notification{ID: "msg_" + rand.Text(), App: owner, Event: journal.Event{Event: journal.Test, Time: time.Now().UTC(),
		Host: app.HostName(), App: owner, By: by, Text: "notifications arrive"}}
}
