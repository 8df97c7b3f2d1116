package main

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/websocket"
)

// pause is how long a websocket rests between two frames.
const pause = 250 * time.Millisecond

// keepSocket keeps a websocket to the app open until stop is closed: one after the other,
// every second one for a short time, every third one over TLS.
func (g *generator) keepSocket(app string, n int, stop <-chan struct{}) {
	life, secure := *longLife, n%3 == 0
	if n%2 == 0 {
		life = *shortLife
	}
	for turn := 0; ; turn++ {
		select {
		case <-stop:
			return
		default:
			g.socket(app, n+turn, secure, life, stop)
		}
	}
}

// socket opens a websocket and sends frames over it, which must come back, until its time
// is over.
func (g *generator) socket(app string, n int, secure bool, life time.Duration, stop <-chan struct{}) {
	begun := time.Now()
	ws, id, err := g.open(app, n, secure)
	g.done(upgrade.over(secure), app, begun, err)
	if err != nil {
		wait(pause, stop)
		return
	}
	defer ws.Close()
	g.answered(upgrade.over(secure), id, begun, time.Now())
	known := g.certificates(app)
	for k := 0; time.Since(begun) < life; k++ {
		if !wait(pause, stop) {
			return
		}
		sent := time.Now()
		err := echo(ws, fmt.Sprintf("frame %d of %d", k, n))
		if closed(err) {
			// Its process may have ended; the reader of the report knows whether it was replaced.
			g.brokenSocket(broken{App: app, Rev: id.rev, Config: id.config, Opened: begun, Broke: time.Now(), Life: life})
			return
		}
		g.done(frame.over(secure), app, sent, err)
		if err != nil {
			return
		}
	}
	outlived := 0
	if secure {
		outlived = g.certificates(app) - known
	}
	g.survived(life, outlived)
}

// open opens a websocket; the app names itself first.
func (g *generator) open(app string, n int, secure bool) (*websocket.Conn, identity, error) {
	scheme := "ws"
	if secure {
		scheme = "wss"
	}
	config, err := websocket.NewConfig(scheme+"://"+app+"."+*domain+"/load/ws", "http://localhost")
	if err != nil {
		return nil, identity{}, err
	}
	conn, err := g.dial(n, app, secure)
	if err != nil {
		return nil, identity{}, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		conn.Close()
		return nil, identity{}, err
	}
	var text string
	err = websocket.Message.Receive(ws, &text)
	id, perr := parseIdentity(text, app)
	if err == nil {
		err = perr
	}
	if err != nil {
		conn.Close()
	}
	return ws, id, err
}

// echo sends a frame and waits for it.
func echo(ws *websocket.Conn, text string) error {
	ws.SetDeadline(time.Now().Add(patience))
	if err := websocket.Message.Send(ws, text); err != nil {
		return err
	}
	var got string
	if err := websocket.Message.Receive(ws, &got); err != nil {
		return err
	}
	if got != text {
		return fmt.Errorf("the frame %q came back as %q", text, strings.ToValidUTF8(got, "?"))
	}
	return nil
}

// wait returns false if stop was closed in the meantime.
func wait(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-stop:
		return false
	case <-t.C:
		return true
	}
}
