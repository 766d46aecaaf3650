package notify

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A fate is what became of a message that was not taken.
type fate struct {
	final bool          // it never will be
	after time.Duration // how long to wait
	what  string        // in words; may quote the answer
}

const (
	soon     = time.Minute      // passing trouble, or a limit that counts by the minute
	punished = 10 * time.Minute // DingTalk takes nothing for so long from who was too fast
	repaired = time.Hour        // somebody has to repair the receiver, or the settings
	longest  = 24 * time.Hour   // nobody is believed who says more
)

// never stands for final in a table of codes.
const never time.Duration = -1

func later(after time.Duration, what string) *fate { return &fate{after: after, what: what} }

func fateAfter(after time.Duration, what string) *fate {
	if after == never {
		return &fate{final: true, what: what}
	}
	return later(after, what)
}

// byStatus judges by the HTTP status alone; nil: 2xx.
func byStatus(a answer) *fate {
	what := fmt.Sprintf("HTTP status %d", a.status)
	if text := http.StatusText(a.status); text != "" {
		what += " " + text
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return later(retryAfter(a, soon), what)
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return later(soon, what)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return &fate{final: true, what: what}
	}
	switch a.status / 100 {
	case 2:
		return nil
	case 3:
		return later(repaired, what+": redirections are not followed")
	case 5:
		return later(soon, what)
	}
	return later(repaired, what) // the address, its token or the permission is wrong
}

// retryAfter is what the answer asks to wait: a number of seconds or a date.
func retryAfter(a answer, otherwise time.Duration) time.Duration {
	value := strings.TrimSpace(a.header.Get("Retry-After"))
	wait := otherwise
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(a.at)
	}
	return min(max(wait, time.Second), longest)
}

// byCode judges by the code in a robot's answer: the services say 200 to what they refuse. Guess: a code that the table does
// not have is one that somebody can repair; so nothing is lost to what is not known here.
func byCode(a answer, code int, text string, table map[int]time.Duration) *fate {
	if code == 0 {
		return byStatus(a)
	}
	what := fmt.Sprintf("code %d: %s", code, text)
	if after, known := table[code]; known {
		return fateAfter(after, what)
	}
	if f := byStatus(a); f != nil {
		f.what = what + " (" + f.what + ")"
		return f
	}
	return later(repaired, what)
}

// strange judges an answer that is not the service's, such as a proxy's page.
func strange(a answer) *fate {
	if f := byStatus(a); f != nil {
		return f
	}
	return later(repaired, "an answer that is not the service's")
}
