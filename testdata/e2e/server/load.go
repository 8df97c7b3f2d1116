package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/websocket"
)

// identity names this process: app, revision, process and GREETING.
func identity() string {
	return fmt.Sprintf("%s %s %s %s", *name, os.Getenv("GIT_REV"), os.Getenv("DYNO"), os.Getenv("GREETING"))
}

// handleLoad answers the requests of testdata/load; every answer names this process.
func handleLoad(mux *http.ServeMux, ready func() bool) {
	handle := func(path string, answer http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Answered-By", identity())
			if !ready() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			answer(w, r)
		})
	}
	handle("/load/answer", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, identity()) })
	handle("/load/slow", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
		fmt.Fprintln(w, identity())
	})
	handle("/load/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Write(body)
	})
	handle("/load/ws", websocket.Server{Handler: func(ws *websocket.Conn) {
		if websocket.Message.Send(ws, identity()) != nil {
			return
		}
		var text string
		for websocket.Message.Receive(ws, &text) == nil && websocket.Message.Send(ws, text) == nil {
		}
	}}.ServeHTTP)
}
