package fcd

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"imageferry/internal/localcloud/account"
)

const (
	runtimePath = "/2020-11-11/runtime/invocation/"
	// maxPayload is the size of a synchronous payload and of an answer.
	maxPayload = 32 << 20
	// outputDelay is how long the output of a dead process is waited for, should a child of its hold the pipe open.
	outputDelay = time.Second
)

// An invocation is one attempt at one event.
type invocation struct {
	requestID string
	payload   []byte
	// retry counts the attempts before this one.
	retry    int
	identity account.Identity
	// answer receives at most one answer.
	answer chan answer
}

// An answer is what the function posts: its result, or the error of its handler.
type answer struct {
	payload []byte
	failed  bool
}

// An instance is one process of the function with a runtime API of its own. It works on one invocation at a time, as the
// standard runtimes do.
type instance struct {
	function *function
	id       string
	process  *os.Process
	// next hands an invocation to the process as soon as it asks for one.
	next chan *invocation
	// dead is closed when the process has ended and its runtime API is closed.
	dead chan struct{}

	mu      sync.Mutex
	current *invocation
}

// startInstance starts a process that gets the environment and nothing of its parent's.
func startInstance(f *function, environment []string, output io.Writer, log *slog.Logger) (*instance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime API: %w", err)
	}
	i := &instance{function: f, id: newRequestID(), next: make(chan *invocation), dead: make(chan struct{})}
	cmd := exec.Command(f.binary) // #nosec G204 -- running the function that was deployed is what this is for
	cmd.Dir = filepath.Dir(f.binary)
	cmd.Env = append(environment, "FC_RUNTIME_API="+listener.Addr().String(), "FC_INSTANCE_ID="+i.id)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = processAttributes()

	server := &http.Server{
		Handler:           i.runtimeAPI(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends when the server is closed below
	}()
	started := make(chan error, 1)
	go func() {
		// On Linux a child is killed when the thread that started it ends, so this thread has to outlive it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(i.dead)
		err := cmd.Start()
		i.process = cmd.Process
		started <- err
		if err == nil {
			err = cmd.Wait()
			log.Debug("function instance ended", "instance", i.id, "status", err)
		}
		_ = server.Close()
		<-served
	}()
	if err := <-started; err != nil {
		<-i.dead
		return nil, fmt.Errorf("start function instance: %w", err)
	}
	return i, nil
}

// kill ends the process at once and returns when it has ended.
func (i *instance) kill() {
	_ = i.process.Kill() // fails only if it has ended already
	<-i.dead
}

func (i *instance) alive() bool {
	select {
	case <-i.dead:
		return false
	default:
		return true
	}
}

func (i *instance) worksOn(requestID string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current != nil && i.current.requestID == requestID
}

// outcome says how an invocation ended.
type outcome int

const (
	answered outcome = iota
	exited           // the process ended without an answer
	expired          // the time was over; the process has been killed
)

// do hands the invocation to the process and waits for the answer. The process gets the timeout once to start and ask for
// work, and once more to do it.
func (i *instance) do(inv *invocation, timeout time.Duration) (answer, outcome) {
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case i.next <- inv:
		limit.Reset(timeout)
	case <-i.dead:
		return answer{}, exited
	case <-limit.C:
		i.kill()
		return answer{}, expired
	}
	select {
	case a := <-inv.answer:
		return a, answered
	case <-i.dead:
	case <-limit.C:
		i.kill()
		return answer{}, expired
	}
	select {
	case a := <-inv.answer: // the process answered, then died
		return a, answered
	default:
		return answer{}, exited
	}
}

func (i *instance) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePath+"next", i.serveNext)
	mux.HandleFunc("POST "+runtimePath+"{id}/response", func(w http.ResponseWriter, r *http.Request) { i.serveAnswer(w, r, false) })
	mux.HandleFunc("POST "+runtimePath+"{id}/error", func(w http.ResponseWriter, r *http.Request) { i.serveAnswer(w, r, true) })
	return mux
}

// serveNext blocks until there is an invocation. fc-runtime-go-sdk asks for the next one while it works on the last.
func (i *instance) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-i.next:
		i.mu.Lock()
		i.current = inv
		i.mu.Unlock()
		i.writeHeaders(w.Header(), inv)
		_, _ = w.Write(inv.payload) // a process that does not read it is seen by its death or by the timeout
	case <-r.Context().Done():
	}
}

// writeHeaders sets the context of the invocation, all of which fc-runtime-go-sdk reads from headers.
func (i *instance) writeHeaders(h http.Header, inv *invocation) {
	f := i.function
	for name, value := range map[string]string{
		"Content-Type":            "application/octet-stream",
		"x-fc-request-id":         inv.requestID,
		"x-fc-function-deadline":  strconv.FormatInt(time.Now().Add(f.timeout).UnixMilli(), 10),
		"x-fc-function-timeout":   strconv.Itoa(int((f.timeout + time.Second - 1) / time.Second)),
		"x-fc-function-type":      "0",
		"x-fc-function-name":      f.spec.Name,
		"x-fc-function-handler":   f.spec.Handler,
		"x-fc-function-memory":    strconv.Itoa(f.spec.MemoryMB),
		"x-fc-access-key-id":      inv.identity.AccessKeyID,
		"x-fc-access-key-secret":  inv.identity.Secret,
		"x-fc-security-token":     inv.identity.Token,
		"x-fc-region":             f.region,
		"x-fc-account-id":         f.accountID,
		"x-fc-qualifier":          "LATEST",
		"x-fc-version-id":         "",
		"x-fc-service-name":       "", // services are gone in Function Compute 3.0
		"x-fc-service-logproject": "",
		"x-fc-service-logstore":   "",
		"x-fc-retry-count":        strconv.Itoa(inv.retry),
	} {
		h.Set(name, value)
	}
}

func (i *instance) serveAnswer(w http.ResponseWriter, r *http.Request, failed bool) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		http.Error(w, "the answer could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	i.mu.Lock()
	inv := i.current
	if inv != nil && inv.requestID == r.PathValue("id") {
		i.current = nil
	} else {
		inv = nil
	}
	i.mu.Unlock()
	if inv == nil {
		// Guess: the platform's answer for a request that is not running was not found.
		http.Error(w, "no such invocation", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusOK)
	inv.answer <- answer{payload, failed}
}
