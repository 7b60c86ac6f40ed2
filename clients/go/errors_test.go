package stemwire

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAnErrorOfAContextIsFoundAndHasACode(t *testing.T) {
	for _, one := range []struct {
		err     error
		code    codes.Code
		context error
	}{
		{context.DeadlineExceeded, codes.DeadlineExceeded, context.DeadlineExceeded},
		{fmt.Errorf("waiting: %w", context.Canceled), codes.Canceled, context.Canceled},
		{status.Error(codes.DeadlineExceeded, "late"), codes.DeadlineExceeded, context.DeadlineExceeded},
		{status.Error(codes.Unavailable, "gone"), codes.Unavailable, nil},
	} {
		err := fromStatus(one.err)
		var known *Error
		if !errors.As(err, &known) || known.Code != one.code {
			t.Fatalf("%v became %v", one.err, err)
		}
		for _, target := range []error{context.DeadlineExceeded, context.Canceled} {
			if errors.Is(err, target) != (target == one.context) {
				t.Fatalf("whether %v is %v", err, target)
			}
		}
	}
	cancelled := &Error{Code: codes.Canceled, Reason: "SESSION_CANCELLED"}
	if errors.Is(cancelled, context.Canceled) {
		t.Fatal("a cancelled session is no cancelled context")
	}
}
