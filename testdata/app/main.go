// Command app is the sample app that "install.sh demo" deploys. One static program
// serves as both process types of its Procfile, so its image needs no base.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	// Linux has no default action for TERM in a container's first process: without
	// this handler, the engine would kill the program after 30 s.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	switch strings.Join(os.Args[1:], " ") {
	case "web":
		if err := serve(ctx); err != nil {
			log.Fatal(err)
		}
	case "worker":
		work(ctx)
	default:
		log.Fatal("usage: app web|worker")
	}
}

// serve answers every path with the greeting, the process (DYNO) and the revision
// (GIT_REV). dokku sets both variables.
func serve(ctx context.Context) error {
	greeting, err := os.ReadFile("/greeting.txt")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s\n%s, revision %.7s\n", strings.TrimSpace(string(greeting)), os.Getenv("DYNO"), os.Getenv("GIT_REV"))
	})
	server := &http.Server{Addr: ":" + envOr("PORT", "5000"), Handler: mux}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// Finish the requests in progress first.
		grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	log.Printf("listening on %s", server.Addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return <-stopped
}

// work represents the consumer of a queue: it has no port and runs until TERM.
func work(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	log.Print("waiting for work")
	for {
		select {
		case <-ctx.Done():
			log.Print("done")
			return
		case <-tick.C:
			log.Print("nothing to do")
		}
	}
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
