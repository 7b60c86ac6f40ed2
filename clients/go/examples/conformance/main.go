// The program that clients/conformance runs: a task as JSON in, what was received as JSON out; or a list of them.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"stemwire"
	"stemwire/stemwirev1"
)

// A task; see clients/conformance/README.md.
type task struct {
	Server      string   `json:"server"`
	Token       string   `json:"token"`
	Authority   string   `json:"authority"`
	Attempts    *int     `json:"attempts"`
	Song        string   `json:"song"`
	Watch       string   `json:"watch"`
	Stems       []string `json:"stems"`
	Model       string   `json:"model"`
	RequestID   string   `json:"request_id"`
	Encoding    string   `json:"encoding"`
	Raw         bool     `json:"raw"`
	Memory      bool     `json:"memory"`
	StartFrame  uint64   `json:"start_frame"`
	TimeLimitMS int      `json:"time_limit_ms"`
	SlowMS      int      `json:"slow_ms"`
	Cancel      bool     `json:"cancel"`
	Leave       bool     `json:"leave"`
	Measure     bool     `json:"measure"`
}

type stem struct {
	Frames uint64 `json:"frames"`
	SHA256 string `json:"sha256"`
	hash   hash.Hash
}

type answer struct {
	Session    string           `json:"session"`
	Rate       uint32           `json:"rate"`
	Stems      map[string]*stem `json:"stems"`
	Reconnects int              `json:"reconnects"`
	FirstS     float64          `json:"first_s,omitempty"`
	Seconds    float64          `json:"seconds,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

func main() {
	asked := []byte(os.Args[1])
	var out any
	if asked[0] == '[' {
		answers := []any{}
		for _, one := range decoded[[]task](asked) {
			answers = append(answers, outcome(&one))
		}
		out = answers
	} else {
		one := decoded[task](asked)
		out = outcome(&one)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

func decoded[T any](text []byte) (value T) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	return value
}

// outcome is the answer to a task, or its error.
func outcome(asked *task) any {
	ctx := context.Background()
	if asked.TimeLimitMS > 0 {
		limited, cancel := context.WithTimeout(ctx, time.Duration(asked.TimeLimitMS)*time.Millisecond)
		defer cancel()
		ctx = limited
	}
	found, err := run(ctx, asked)
	if err == nil {
		return found
	}
	failed := failure{Code: 2, Message: err.Error()}
	var known *stemwire.Error
	if errors.As(err, &known) {
		failed = failure{int(known.Code), known.Reason, known.Message, known.Remedy}
	}
	return map[string]failure{"error": failed}
}

func run(ctx context.Context, asked *task) (*answer, error) {
	options := stemwire.Options{Token: asked.Token}
	if asked.Authority != "" {
		authority, err := os.ReadFile(asked.Authority)
		if err != nil {
			return nil, err
		}
		options.Authority = authority
	}
	if asked.Attempts != nil {
		retry := stemwire.DefaultRetry
		retry.Attempts = *asked.Attempts
		options.Retry = &retry
	}
	client, err := stemwire.NewClient(asked.Server, options)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	began := time.Now()
	separation, err := separation(ctx, asked, client)
	if err != nil {
		return nil, err
	}
	defer separation.Close()
	found := &answer{Stems: map[string]*stem{}}
	for chunks := 0; ; {
		event, err := separation.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if _, ok := event.(*stemwire.ReconnectingEvent); ok {
			found.Reconnects++
		}
		chunk, ok := event.(*stemwire.Chunk)
		if !ok {
			continue
		}
		chunks++
		if asked.Measure && chunks == 1 {
			found.FirstS = time.Since(began).Seconds()
		}
		if found.Stems[chunk.Stem] == nil {
			found.Stems[chunk.Stem] = &stem{hash: sha256.New()}
		}
		received := found.Stems[chunk.Stem]
		if asked.StartFrame+received.Frames != chunk.StartFrame {
			panic(fmt.Sprintf("a frame is repeated or missing: %d, %d", received.Frames, chunk.StartFrame))
		}
		received.Frames += chunk.Frames()
		if !asked.Measure {
			received.hash.Write(chunk.PCM)
		}
		if asked.Leave {
			break
		}
		if asked.Cancel && chunks == 1 {
			if _, err := client.Cancel(context.Background(), separation.Session().SessionId); err != nil {
				return nil, err
			}
		}
		time.Sleep(time.Duration(asked.SlowMS) * time.Millisecond)
	}
	if asked.Measure {
		found.Seconds = time.Since(began).Seconds()
	}
	for _, received := range found.Stems {
		received.SHA256 = hex.EncodeToString(received.hash.Sum(nil))
	}
	found.Session = separation.Session().GetSessionId()
	found.Rate = separation.Session().GetSource().GetOutputSampleRate()
	return found, nil
}

func separation(ctx context.Context, asked *task, client *stemwire.Client) (*stemwire.Separation, error) {
	encoding := map[string]stemwirev1.Encoding{
		"s16": stemwirev1.Encoding_ENCODING_S16LE, "s24": stemwirev1.Encoding_ENCODING_S24LE,
	}[asked.Encoding]
	if asked.Watch != "" {
		request := &stemwirev1.WatchSessionRequest{SessionId: asked.Watch, Encoding: encoding}
		for _, name := range asked.Stems {
			request.Stems = append(request.Stems, &stemwirev1.StemCursor{Stem: name, StartFrame: asked.StartFrame})
		}
		return client.Watch(ctx, request), nil
	}
	config := &stemwirev1.SeparationConfig{
		Model: asked.Model, Stems: asked.Stems, RequestId: asked.RequestID,
		Output: &stemwirev1.OutputFormat{Encoding: encoding},
	}
	if asked.Raw {
		config.Input = &stemwirev1.RawPcm{
			Encoding: stemwirev1.Encoding_ENCODING_S16LE, SampleRate: 44_100, Channels: 2,
		}
	}
	song, err := song(asked)
	if err != nil {
		return nil, err
	}
	return client.Separate(ctx, song, config), nil
}

func song(asked *task) (*stemwire.Song, error) {
	switch {
	case asked.Song == "":
		return stemwire.SongStream(os.Stdin), nil
	case asked.Memory:
		content, err := os.ReadFile(asked.Song)
		return stemwire.SongBytes(content), err
	}
	return stemwire.OpenSong(asked.Song)
}
