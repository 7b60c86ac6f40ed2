package stemwire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"stemwire/stemwirev1"
)

const (
	// Limit of a message; the server's are far smaller.
	maxMessageBytes = 4 << 20
	// Time limit of a call that is answered once.
	callLimit = 30 * time.Second
)

// Options of a client; all may be left out.
type Options struct {
	// Token is sent as a bearer token.
	Token string
	// Authority is the certificate authority of the server, in PEM; by default those of the system.
	Authority []byte
	// Retry replaces DefaultRetry.
	Retry *Retry
}

// Client of one server. Any number of goroutines may use it.
type Client struct {
	// Calls are the generated stubs, for what this package has no method for. Its errors are those of gRPC.
	Calls stemwirev1.SeparationServiceClient
	conn  *grpc.ClientConn
	retry Retry
}

// NewClient is a client of the server at http://HOST:PORT or https://HOST:PORT. The first call connects.
func NewClient(server string, options Options) (*Client, error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	address, err := url.Parse(server)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return nil, fmt.Errorf("%q is not a server URL. Write it as http://HOST:PORT", server)
	}
	target := address.Host
	if address.Port() == "" {
		target += map[string]string{"http": ":80", "https": ":443"}[address.Scheme]
	}
	transport := insecure.NewCredentials()
	if address.Scheme == "https" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if options.Authority != nil {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(options.Authority) {
				return nil, fmt.Errorf("the certificate authority has no certificate in PEM")
			}
		}
		transport = credentials.NewTLS(config)
	}
	// Retries are this package's, so a new call must not wait for the pause of an earlier one.
	pauses := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1, MaxDelay: 100 * time.Millisecond}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: 10 * time.Second}),
		// A peer that disappears without closing the connection is detected within 30 seconds.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
	}
	if options.Token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(options.Token)))
	}
	conn, err := grpc.NewClient("passthrough:///"+target, dial...)
	if err != nil {
		return nil, err
	}
	client := &Client{Calls: stemwirev1.NewSeparationServiceClient(conn), conn: conn, retry: DefaultRetry}
	if options.Retry != nil {
		client.retry = *options.Retry
	}
	return client, nil
}

// Close ends all calls and closes the connection.
func (c *Client) Close() error {
	return c.conn.Close()
}

// Separate sends a song and receives its stems. Nothing is sent before [Separation.Next].
//
// With a request_id of the caller the session of an earlier call, or of another process, is continued: only the missing bytes
// are sent. Without one a new UUID is set. The end of ctx ends the call, and leaves the session to its on_disconnect setting.
func (c *Client) Separate(ctx context.Context, song *Song, config *stemwirev1.SeparationConfig) *Separation {
	config, _ = proto.Clone(config).(*stemwirev1.SeparationConfig)
	if config == nil {
		config = &stemwirev1.SeparationConfig{}
	}
	mayExist := config.RequestId != ""
	if !mayExist {
		config.RequestId = uuid.NewString()
	}
	config.Attempt = &stemwirev1.CallAttempt{Caller: uuid.NewString()}
	output := config.GetOutput()
	received := newReceived(output.GetEncoding(), output.GetGain(), config.StartFrame, nil)
	return &Separation{client: c, ctx: ctx, song: song, config: config, received: received, mayExist: mayExist}
}

// Watch receives the stems of an existing session. A paused one whose upload is complete is resumed. The cursors of request
// name its stems, all from one frame; without any all stems are received.
func (c *Client) Watch(ctx context.Context, request *stemwirev1.WatchSessionRequest) *Separation {
	request, _ = proto.Clone(request).(*stemwirev1.WatchSessionRequest)
	if request.Encoding == stemwirev1.Encoding_ENCODING_UNSPECIFIED {
		request.Encoding = stemwirev1.Encoding_ENCODING_F32LE
	}
	var names []string
	var start uint64
	for _, cursor := range request.Stems {
		names, start = append(names, cursor.Stem), cursor.StartFrame
	}
	received := newReceived(request.Encoding, request.Gain, start, names)
	return &Separation{client: c, ctx: ctx, watched: request, received: received, mayExist: true}
}

// Health says whether the server accepts sessions, and its load.
func (c *Client) Health(ctx context.Context) (*stemwirev1.HealthResponse, error) {
	return call(ctx, c, c.Calls.Health, &stemwirev1.HealthRequest{})
}

// Models are those of the server, those of its chain first.
func (c *Client) Models(ctx context.Context) ([]*stemwirev1.Model, error) {
	answer, err := call(ctx, c, c.Calls.ListModels, &stemwirev1.ListModelsRequest{})
	return answer.GetModels(), err
}

// Session is the current state of a session.
func (c *Client) Session(ctx context.Context, id string) (*stemwirev1.Session, error) {
	answer, err := call(ctx, c, c.Calls.GetSession, &stemwirev1.GetSessionRequest{SessionId: id})
	return answer.GetSession(), err
}

// Sessions is a page of sessions, newest first.
func (c *Client) Sessions(
	ctx context.Context, request *stemwirev1.ListSessionsRequest,
) (*stemwirev1.ListSessionsResponse, error) {
	return call(ctx, c, c.Calls.ListSessions, request)
}

// CreateSession creates a session, or returns the earlier one with this request_id. Without one a new UUID is set, so that a
// repeated call creates no second session.
func (c *Client) CreateSession(
	ctx context.Context, config *stemwirev1.SeparationConfig,
) (*stemwirev1.Session, error) {
	config, _ = proto.Clone(config).(*stemwirev1.SeparationConfig)
	if config.RequestId == "" {
		config.RequestId = uuid.NewString()
	}
	answer, err := call(ctx, c, c.Calls.CreateSession, &stemwirev1.CreateSessionRequest{Config: config})
	return answer.GetSession(), err
}

// Cancel cancels a session; its final frames stay readable. One that has ended stays as it is.
func (c *Client) Cancel(ctx context.Context, id string) (*stemwirev1.Session, error) {
	answer, err := call(ctx, c, c.Calls.CancelSession, &stemwirev1.CancelSessionRequest{SessionId: id})
	return answer.GetSession(), err
}

// Delete deletes a session and its files; a running one is cancelled first.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := call(ctx, c, c.Calls.DeleteSession, &stemwirev1.DeleteSessionRequest{SessionId: id})
	return err
}

// call makes a call that may be repeated.
func call[Request, Answer any](
	ctx context.Context, c *Client, method func(context.Context, Request, ...grpc.CallOption) (Answer, error), request Request,
) (Answer, error) {
	var failed failures
	for {
		limited, cancel := context.WithTimeout(ctx, callLimit)
		answer, err := method(limited, request)
		cancel()
		err = fromStatus(err)
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		pause, ok := failed.pause(c.retry, err, position{})
		if !ok {
			return answer, err
		}
		if err := sleep(ctx, pause); err != nil {
			return answer, fromStatus(err)
		}
	}
}

func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bearer is a token, which is sent with or without TLS, as the server's --token is.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }
