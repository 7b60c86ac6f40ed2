package stemwire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"stemwire/stemwirev1"
)

// The domain of the server's own errors; those of a proxy have another.
const errorDomain = "stemwire"

// Error is the error of a call.
type Error struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is in UPPER_SNAKE; empty if the error is not the server's.
	Reason string
	// Message is the cause.
	Message string
	// Remedy is one imperative sentence.
	Remedy string
	// Metadata has the values and limits behind the message.
	Metadata map[string]string
	// RetryAfter is the delay after which a retry may succeed; nil if the server offers none.
	RetryAfter *time.Duration
	// RequestID is the id of the call in the server's log; empty if no server answered.
	RequestID string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s. %s", e.Message, e.Remedy)
}

// Is says whether the error is that of a context: context.DeadlineExceeded or context.Canceled.
func (e *Error) Is(target error) bool {
	return target == context.DeadlineExceeded && e.Code == codes.DeadlineExceeded ||
		target == context.Canceled && e.Code == codes.Canceled && e.Reason == ""
}

// IsSongError says whether the song cannot be separated, now or later: it is not audio, too long, empty.
func (e *Error) IsSongError() bool {
	options := reasonOptions(e.Reason)
	return options.GetCategory() == stemwirev1.ErrorOptions_CATEGORY_INPUT
}

// Unreachable says whether the server does not answer, or the connection broke.
func (e *Error) Unreachable() bool {
	if e.Reason != "" {
		return false
	}
	switch e.Code {
	case codes.Unavailable, codes.Unknown, codes.Internal, codes.Canceled:
		return true
	}
	return false
}

// The options of a reason; nil for one of a later version.
func reasonOptions(reason string) *stemwirev1.ErrorOptions {
	values := stemwirev1.ErrorReason(0).Descriptor().Values()
	value := values.ByName(protoreflect.Name("ERROR_REASON_" + reason))
	if value == nil {
		return nil
	}
	options, _ := proto.GetExtension(value.Options(), stemwirev1.E_Error).(*stemwirev1.ErrorOptions)
	return options
}

// invalidAnswer is the error of an answer that contradicts the protocol or an earlier answer.
func invalidAnswer(format string, values ...any) error {
	return &Error{
		Code:    codes.DataLoss,
		Reason:  "ANSWER_INVALID",
		Message: "the server's answer is invalid: " + fmt.Sprintf(format, values...),
		Remedy:  "Use the same version of client and server.",
	}
}

// fromStatus converts an error of gRPC.
func fromStatus(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	state, ok := status.FromError(err)
	if !ok {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			return err
		}
		state = status.FromContextError(err)
	}
	found := &Error{Code: state.Code(), Message: state.Message(), Metadata: map[string]string{}}
	for _, detail := range state.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain != errorDomain {
				continue
			}
			found.Reason = detail.Reason
			for name, value := range detail.Metadata {
				found.Metadata[name] = value
			}
		case *errdetails.RetryInfo:
			delay := detail.RetryDelay.AsDuration()
			found.RetryAfter = &delay
		case *errdetails.RequestInfo:
			found.RequestID = detail.RequestId
		}
	}
	if found.Reason == "" {
		// A proxy's.
		found.RetryAfter = nil
	}
	found.Remedy = found.Metadata["remedy"]
	delete(found.Metadata, "remedy")
	if options := reasonOptions(found.Reason); found.Remedy == "" && options != nil {
		found.Remedy = options.Remedy
	}
	switch {
	case found.Remedy != "":
	case found.Unreachable():
		found.Remedy = "Start it with `stemwire serve`, or check its address: https:// with TLS."
	default:
		found.Remedy = "See the server log, or try again later."
	}
	return found
}
