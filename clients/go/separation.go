package stemwire

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"stemwire/stemwirev1"
)

// Event of a session: *Chunk, *SessionEvent, *ProgressEvent, *EngineChangeEvent, *ReconnectingEvent or *DoneEvent.
type Event interface{ isEvent() }

// SessionEvent has the session: at the start of each call, and once the format of the song is known, before the first chunk.
type SessionEvent struct{ Session *stemwirev1.Session }

// ProgressEvent has the progress.
type ProgressEvent struct{ Progress *stemwirev1.Progress }

// EngineChangeEvent is a switch to another engine.
type EngineChangeEvent struct{ Change *stemwirev1.EngineChange }

// ReconnectingEvent says that the call failed and is repeated after a pause.
type ReconnectingEvent struct {
	Err   error
	Pause time.Duration
}

// DoneEvent is the last one: the session is done, and its stems have the lengths and hashes that the server computed.
type DoneEvent struct{ Session *stemwirev1.Session }

func (*Chunk) isEvent()             {}
func (*SessionEvent) isEvent()      {}
func (*ProgressEvent) isEvent()     {}
func (*EngineChangeEvent) isEvent() {}
func (*ReconnectingEvent) isEvent() {}
func (*DoneEvent) isEvent()         {}

// Separation is a session that is followed. It belongs to one goroutine.
//
// Chunks that are not taken yet wait on the server.
type Separation struct {
	client *Client
	ctx    context.Context
	// Of an upload.
	song   *Song
	config *stemwirev1.SeparationConfig
	// Of a session that is watched.
	watched  *stemwirev1.WatchSessionRequest
	received *received
	failed   failures
	mayExist bool
	attempt  *attempt
	pause    time.Duration
	// A chunk that came before the rate of its samples was known.
	waiting *stemwirev1.StemChunk
	ended   bool
}

// Config is that of an upload, with its request_id; nil for a session that is watched.
func (s *Separation) Config() *stemwirev1.SeparationConfig { return s.config }

// Session is the session as last received; nil before the first answer.
func (s *Separation) Session() *stemwirev1.Session { return s.received.session }

// Next is the next event; io.EOF follows the last one.
func (s *Separation) Next() (Event, error) {
	for !s.ended {
		event, err := s.step()
		if err != nil {
			return s.after(fromStatus(err))
		}
		if event != nil {
			return event, nil
		}
	}
	return nil, io.EOF
}

// Wait receives to the end and drops the chunks; returns the session in its final state.
func (s *Separation) Wait() (*stemwirev1.Session, error) {
	for {
		if _, err := s.Next(); err == io.EOF {
			return s.Session(), nil
		} else if err != nil {
			return nil, err
		}
	}
}

// Close stops following the session. If it is still running, the server applies on_disconnect.
func (s *Separation) Close() {
	s.ended = true
	if s.attempt != nil {
		s.attempt.close()
		s.attempt = nil
	}
	if s.song != nil && s.song.close != nil {
		s.song.close()
	}
}

func (s *Separation) step() (Event, error) {
	if s.attempt == nil {
		if err := sleep(s.ctx, s.pause); err != nil {
			return nil, err
		}
		return nil, s.call()
	}
	if chunk := s.waiting; chunk != nil {
		s.waiting = nil
		return s.chunk(chunk)
	}
	message, err := s.attempt.message()
	if err != nil {
		if err == io.EOF {
			err = invalidAnswer("the call ended without a result")
		}
		return nil, err
	}
	s.failed.answered = true
	switch {
	case message.session != nil:
		s.received.session = message.session
		return &SessionEvent{message.session}, nil
	case message.progress != nil:
		return &ProgressEvent{message.progress}, nil
	case message.change != nil && s.received.isNew(message.change):
		return &EngineChangeEvent{message.change}, nil
	case message.chunk != nil && s.received.sampleRate() == 0:
		// The session was received before its upload was decoded. By now its rate is known.
		request := &stemwirev1.GetSessionRequest{SessionId: s.Session().GetSessionId()}
		answer, err := s.client.Calls.GetSession(s.ctx, request)
		if err != nil {
			return nil, err
		}
		s.received.session, s.waiting = answer.Session, message.chunk
		return &SessionEvent{answer.Session}, nil
	case message.chunk != nil:
		return s.chunk(message.chunk)
	case message.done.GetState() == stemwirev1.SessionState_SESSION_STATE_DONE:
		s.received.session = message.done
		if err := s.received.verify(message.done); err != nil {
			return nil, err
		}
		s.Close()
		return &DoneEvent{message.done}, nil
	}
	// The session failed or was cancelled: the status that follows is the error.
	return nil, nil
}

func (s *Separation) chunk(message *stemwirev1.StemChunk) (Event, error) {
	chunk, err := s.received.newFrames(message)
	if err != nil || chunk == nil {
		return nil, err
	}
	return chunk, nil
}

// call opens a call.
func (s *Separation) call() error {
	if s.watched != nil {
		return s.watch()
	}
	// One that is delayed on its way must not take the session from a later one.
	s.config.Attempt.Number++
	config, _ := proto.Clone(s.config).(*stemwirev1.SeparationConfig)
	if s.mayExist {
		answer, err := s.client.Calls.CreateSession(s.ctx, &stemwirev1.CreateSessionRequest{Config: config})
		if err != nil {
			return err
		}
		s.received.session = answer.Session
		config.UploadOffset, config.StartFrame = answer.Session.CommittedBytes, s.received.resumeFrame()
	}
	s.mayExist = true
	ctx, cancel := context.WithCancel(s.ctx)
	stream, err := s.client.Calls.Separate(ctx)
	if err != nil {
		cancel()
		return err
	}
	sent := make(chan error, 1)
	s.attempt = &attempt{separate: stream, cancel: cancel, sent: sent}
	go func() { sent <- send(ctx, stream, s.song, config) }()
	return nil
}

func (s *Separation) watch() error {
	if len(s.received.stems()) == 0 {
		request := &stemwirev1.GetSessionRequest{SessionId: s.watched.SessionId}
		answer, err := s.client.Calls.GetSession(s.ctx, request)
		if err != nil {
			return err
		}
		s.received.session = answer.Session
	}
	request, _ := proto.Clone(s.watched).(*stemwirev1.WatchSessionRequest)
	request.Stems = nil
	for _, name := range s.received.stems() {
		cursor := &stemwirev1.StemCursor{Stem: name, StartFrame: s.received.nextFrame(name)}
		request.Stems = append(request.Stems, cursor)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	stream, err := s.client.Calls.WatchSession(ctx, request)
	if err != nil {
		cancel()
		return err
	}
	s.attempt = &attempt{watch: stream, cancel: cancel}
	return nil
}

// after is what follows an error: a new call, or the end.
func (s *Separation) after(err error) (Event, error) {
	if s.attempt != nil {
		// What ended the upload ended the call.
		if read := s.attempt.close(); read != nil {
			err = read
		}
		s.attempt, s.waiting = nil, nil
	}
	pause, ok := s.failed.pause(s.client.retry, err, s.received.position())
	if !ok || s.ctx.Err() != nil {
		s.Close()
		return nil, err
	}
	s.pause = pause
	return &ReconnectingEvent{Err: err, Pause: pause}, nil
}

// attempt is a call that is open.
type attempt struct {
	separate grpc.BidiStreamingClient[stemwirev1.SeparateRequest, stemwirev1.SeparateResponse]
	watch    grpc.ServerStreamingClient[stemwirev1.WatchSessionResponse]
	cancel   context.CancelFunc
	sent     chan error
}

// message is one of an answer; one field is set.
type message struct {
	session  *stemwirev1.Session
	progress *stemwirev1.Progress
	chunk    *stemwirev1.StemChunk
	change   *stemwirev1.EngineChange
	done     *stemwirev1.Session
}

func (a *attempt) message() (message, error) {
	if a.watch != nil {
		answer, err := a.watch.Recv()
		return message{
			answer.GetSession(), answer.GetProgress(), answer.GetStem(), answer.GetEngineChange(), answer.GetDone(),
		}, err
	}
	answer, err := a.separate.Recv()
	return message{
		answer.GetSession(), answer.GetProgress(), answer.GetStem(), answer.GetEngineChange(), answer.GetDone(),
	}, err
}

// close ends the call, and returns the error that reading the song ended with.
func (a *attempt) close() error {
	a.cancel()
	if a.sent == nil {
		return nil
	}
	return <-a.sent
}

// send sends the settings and the song, until the call ends. It returns the error that reading the song ended with.
func send(
	ctx context.Context, stream grpc.BidiStreamingClient[stemwirev1.SeparateRequest, stemwirev1.SeparateResponse],
	song *Song, config *stemwirev1.SeparationConfig,
) error {
	offset := config.UploadOffset
	next := &stemwirev1.SeparateRequest{Message: &stemwirev1.SeparateRequest_Config{Config: config}}
	for {
		// If the call has ended, its error is reported by its answers.
		if stream.Send(next) != nil {
			return nil
		}
		piece, err := song.read(ctx, offset)
		switch {
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			return nil
		case err != nil:
			// Without finish the server treats the upload as interrupted. Nothing can be received any more.
			stream.CloseSend()
			return err
		case len(piece) == 0:
			finish := &stemwirev1.Finish{TotalBytes: offset, Sha256: song.sha256(offset)}
			stream.Send(&stemwirev1.SeparateRequest{Message: &stemwirev1.SeparateRequest_Finish{Finish: finish}})
			stream.CloseSend()
			return nil
		}
		offset += uint64(len(piece))
		next = &stemwirev1.SeparateRequest{Message: &stemwirev1.SeparateRequest_Chunk{Chunk: piece}}
	}
}
