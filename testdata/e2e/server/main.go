// The program that the end-to-end tests deploy. Its flags, from the Procfile or from
// SERVER_FLAGS, make it fail in all the ways in which an app can fail.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var (
	port      = flag.String("port", cmp.Or(os.Getenv("PORT"), "5000"), "where to listen; empty: nowhere")
	bind      = flag.String("bind", "", "listen on this address only")
	onlyHost  = flag.String("only-host", "", "answer 400 to requests for another host")
	quitAfter = flag.Duration("quit-after", 0, "go on without listening after this long; 0: never")
	exit      = flag.Int("exit", -1, "end at once with this code")
	say       = flag.String("say", "", "print this first")
	sleep     = flag.Duration("sleep", 0, "wait this long before anything else")
	warmUp    = flag.Duration("warm-up", 0, "answer 503 for this long")
	unhealthy = flag.Bool("unhealthy", false, "answer 500 to /health")
	needs     = flag.String("needs", "", "end at once with code 7 unless this address answers")
	stubborn  = flag.Bool("stubborn", false, "ignore TERM")
	name      = flag.String("name", "", "what to be called in answers below /load")
)

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	args := append(os.Args[1:], strings.Fields(os.Getenv("SERVER_FLAGS"))...)
	if err := flag.CommandLine.Parse(args); err != nil {
		log.Fatal(err)
	}
	// The program ends at once at TERM, even while it answers: requests survive only if
	// dokku waits for them before it sends the signal.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		for range signals {
			log.Print("received TERM")
			if !*stubborn {
				os.Exit(0)
			}
		}
	}()
	if *say != "" {
		log.Print(*say)
	}
	if *needs != "" {
		if _, err := fetch(*needs); err != nil {
			log.Print(err)
			os.Exit(7)
		}
	}
	time.Sleep(*sleep)
	if *exit >= 0 {
		os.Exit(*exit)
	}
	log.Printf("%s has started", os.Getenv("DYNO"))
	if *port == "" {
		select {}
	}
	if *quitAfter > 0 {
		server := &http.Server{Addr: *bind + ":" + *port, Handler: handler(time.Now())}
		time.AfterFunc(*quitAfter, func() { server.Close() })
		log.Print(server.ListenAndServe())
		select {}
	}
	log.Fatal(http.ListenAndServe(*bind+":"+*port, handler(time.Now().Add(*warmUp))))
}

// handler answers every path with the revision, the process and GREETING.
func handler(warm time.Time) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		if *onlyHost != "" && r.Host != *onlyHost {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if time.Now().Before(warm) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "%s %s %s\n", os.Getenv("GIT_REV"), os.Getenv("DYNO"), os.Getenv("GREETING"))
	}
	mux.HandleFunc("/", answer)
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if *unhealthy {
			w.WriteHeader(http.StatusInternalServerError)
		}
		answer(w, r)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
		answer(w, r)
	})
	// What the proxy says about the request, and a header of many kilobytes.
	mux.HandleFunc("/forwarded", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Port"))
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 20_000))
		answer(w, r)
	})
	mux.HandleFunc("/say", func(w http.ResponseWriter, r *http.Request) {
		log.Print(r.FormValue("text"))
	})
	mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	mux.HandleFunc("/eat", func(http.ResponseWriter, *http.Request) {
		for all := [][]byte{}; ; {
			all = append(all, bytes.Repeat([]byte{1}, 1<<20))
		}
	})
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		conn, err := net.DialTimeout("tcp", r.FormValue("to"), time.Second)
		if err != nil {
			fmt.Fprintf(w, "not reached: %s\n", err)
			return
		}
		conn.Close()
		fmt.Fprintln(w, "reached")
	})
	mux.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		text, err := fetch(r.FormValue("from"))
		tell(w, text, err)
	})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(r.FormValue("path"))
		tell(w, string(data), err)
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		tell(w, "written", os.WriteFile(r.FormValue("path"), []byte(r.FormValue("text")), 0o644))
	})
	handleLoad(mux, func() bool { return !time.Now().Before(warm) })
	return mux
}

func tell(w io.Writer, text string, err error) {
	if err != nil {
		text = "error: " + err.Error() + "\n"
	}
	io.WriteString(w, text)
}

// fetch returns what another server answers at an address, "db:5000".
func fetch(address string) (string, error) {
	client := http.Client{Timeout: 3 * time.Second}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return string(data), err
}
