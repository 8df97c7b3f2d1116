package cron

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"os"
	"os/exec"
	"strings"
	"time"

	"dokku/agent/app"
)

// sendmail is where Debian's mail servers have it.
const sendmail = "/usr/sbin/sendmail"

// mailTime bounds the time of sendmail.
const mailTime = time.Minute

// Sends reports whether the server can send mail.
func Sends() bool {
	_, err := os.Stat(sendmail)
	return err == nil
}

// CheckAddress returns an error unless a value is a list of mail addresses, or one for from.
func CheckAddress(property, value string) error {
	list, err := mail.ParseAddressList(value)
	if err != nil || strings.ContainsAny(value, "\r\n") || property == app.CronMailFrom && len(list) != 1 {
		//lint:ignore ST1005 a message of cron:set
		return fmt.Errorf("Invalid %s %q: give an address such as ops@example.com", property, value)
	}
	return nil
}

// mail sends the output of a run to mailto, as cron(8) does: if there is any. The record of
// the run is already there, so that a failure is a warning.
func (s *Scheduler) mail(ctx context.Context, name string, r *app.CronRun, log []byte) {
	set, err := s.Server.Settings()
	to := set.Cron[app.CronMailTo]
	program := cmp.Or(s.Sendmail, sendmail)
	if _, missing := os.Stat(program); err != nil || to == "" || missing != nil || printable(log) == "" {
		return
	}
	from := cmp.Or(set.Cron[app.CronMailFrom], "dokku@"+app.HostName())
	message := fmt.Sprintf("From: %s\nTo: %s\nSubject: Cron %s: %s (%s)\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\n%s\n",
		from, to, name, strings.Join(strings.Fields(printable([]byte(r.Command))), " "), r.Text(), printable(log))
	ctx, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-t", "-oi")
	cmd.Stdin = strings.NewReader(message)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Log.WithApp(name).Warn("cannot mail the output of the cron task %s to %s: %s %s", r.Command, to, err, printable(out))
	}
}
