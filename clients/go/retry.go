package stemwire

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Retry says how a client continues after a broken connection, a restart of the server or a full queue.
//
// Pauses double from FirstPause up to LongestPause, less a random part so that many clients do not return at the same moment. A
// pause is never shorter than the server asks for.
type Retry struct {
	// Attempts is the number of consecutive failures without progress that are retried; 0 disables retries.
	Attempts int
	// FirstPause is the pause after the first failure.
	FirstPause time.Duration
	// LongestPause limits a pause that the server has not asked for.
	LongestPause time.Duration
}

// DefaultRetry is what a client does unless told otherwise.
var DefaultRetry = Retry{Attempts: 8, FirstPause: 250 * time.Millisecond, LongestPause: 10 * time.Second}

// pause returns the pause after so many failures in a row; false if the call must not be repeated.
func (r Retry) pause(err error, failures int) (time.Duration, bool) {
	var known *Error
	if failures > r.Attempts || !errors.As(err, &known) {
		return 0, false
	}
	var least time.Duration
	switch {
	case known.RetryAfter != nil:
		least = *known.RetryAfter
	case !known.Unreachable():
		return 0, false
	}
	usual := min(r.FirstPause<<min(max(failures-1, 0), 20), r.LongestPause)
	return max(time.Duration(float64(usual)*(1-rand.Float64()/4)), least), true
}

// position is what a session has: uploaded bytes and received frames.
type position struct {
	bytes, frames uint64
}

func (p position) isBeyond(other position) bool {
	return p.bytes > other.bytes || p.bytes == other.bytes && p.frames > other.frames
}

// failures counts the consecutive failures of one operation. A server that has never answered is not called again: its address
// is probably wrong, and the caller should see that at once.
type failures struct {
	count    int
	last     position
	answered bool
}

func (f *failures) pause(retry Retry, err error, now position) (time.Duration, bool) {
	f.count++
	if now.isBeyond(f.last) {
		f.count, f.last = 1, now
	}
	var known *Error
	if errors.As(err, &known) && !known.Unreachable() {
		f.answered = true
	}
	pause, ok := retry.pause(err, f.count)
	return pause, ok && f.answered
}
