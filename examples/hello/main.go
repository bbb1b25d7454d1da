// hello: a small HTTP service for the examples, the demo and the end-to-end tests.
//
//	hello              serves on $PAASTA_PORT (default 8888): GET / says hello and the version, GET /status is the health check
//	hello worker       works without a port until it is told to stop
//	hello self-test    starts the server, asks it both questions, ends: what `make itest` runs inside the image
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// version is the commit, set by the linker.
var version = "unknown"

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	word := "serve"
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	var err error
	switch word {
	case "serve":
		err = serve()
	case "worker":
		err = work()
	case "self-test":
		err = selfTest()
	default:
		err = fmt.Errorf("unknown word %q: serve, worker, self-test", word)
	}
	if err != nil {
		log.Fatalf("hello: %v", err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	greeting := os.Getenv("GREETING")
	if greeting == "" {
		greeting = "hello"
	}
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s from %s\n", greeting, version) })
	return mux
}

// stopped ends at SIGTERM, which Kubernetes sends after the preStop hook.
func stopped() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
}

func serve() error {
	port := os.Getenv("PAASTA_PORT")
	if port == "" {
		port = "8888"
	}
	ctx, cancel := stopped()
	defer cancel()
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	var leaving atomic.Bool
	handler := routes()
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("serving version %s on :%s", version, port)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// No new connections; the open ones are told to go elsewhere with their next answer, then the rest is closed.
	log.Print("told to stop: finishing requests")
	leaving.Store(true)
	_ = listener.Close()
	time.Sleep(2 * time.Second)
	end, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	return server.Shutdown(end)
}

func work() error {
	ctx, cancel := stopped()
	defer cancel()
	log.Printf("worker of version %s", version)
	for tick := time.NewTicker(10 * time.Second); ; {
		select {
		case <-tick.C:
			log.Print("worked")
		case <-ctx.Done():
			return nil
		}
	}
}

func selfTest() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, routes()) }()
	for path, want := range map[string]string{"/status": "ok", "/": version} {
		answer, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			return errors.New(path + " answered " + answer.Status + ": " + string(body))
		}
	}
	fmt.Println("self-test passed")
	return nil
}
