package cli

import (
	"context"
	"fmt"
	"iter"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// IDs are the ids of sites to work on.
type IDs struct {
	// All yields them; an error is what is no id.
	All iter.Seq2[int64, error]
	// Many means that there may be other than one.
	Many bool
}

// Interrupted is the error of a command that was told to stop, and says how far it came.
type Interrupted struct{ text string }

// Interrupt returns such an error.
func Interrupt(format string, args ...any) error { return Interrupted{fmt.Sprintf(format, args...)} }

// Error says how far the command came.
func (i Interrupted) Error() string { return i.text }

// maxRefusals is how many refusals are shown one by one.
const maxRefusals = 20

// shownAfter is after how many sites people see what was done.
const shownAfter = 20

// refusals counts what was refused, and shows the first of it.
type refusals struct {
	c     Client
	count int
}

// add shows a refusal; what is about says of what.
func (r *refusals) add(about string, err error) {
	if r.count++; r.count <= maxRefusals {
		fmt.Fprintf(r.c.Err, "%s: %s\n", format.Printable(about), format.Printable(r.c.explain(err).Error()))
	}
}

// concernsOne reports whether an error is about the one site that was asked for, so that the
// next one can be tried.
func concernsOne(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.InvalidArgument, codes.FailedPrecondition, codes.Aborted, codes.AlreadyExists, codes.PermissionDenied:
		return true
	}
	return false
}

// each works on one site after the other, as eachOf does.
func (c Client) each(ctx context.Context, ids IDs, out printer[*monitorv1.Site], work func(context.Context, int64) error) error {
	return eachOf(ctx, c, ids, out, work)
}

// eachOf works on one site after the other. What is refused for one site stops no other. When
// ctx ends, it finishes the site that it is at.
func eachOf[T proto.Message](ctx context.Context, c Client, ids IDs, out printer[T], work func(context.Context, int64) error) error {
	done, total := 0, 0
	refused := refusals{c: c}
	for id, err := range ids.All {
		if err != nil && ctx.Err() != nil {
			err = Interrupt("interrupted: %s done", format.Count(done, "site"))
		}
		if err != nil {
			return errorOr(endAfter(out, done), err)
		}
		if ctx.Err() != nil {
			return errorOr(endAfter(out, done), Interrupt("interrupted: %s done, those from %d on are not", format.Count(done, "site"), id))
		}
		total++
		err := work(context.WithoutCancel(ctx), id)
		switch {
		case err == nil:
			if done++; done%shownAfter == 0 {
				if err := out.flush(); err != nil {
					return err
				}
			}
		case !ids.Many:
			return c.explain(err)
		case concernsOne(err):
			refused.add(fmt.Sprintf("site %d", id), err)
		default:
			return errorOr(endAfter(out, done), fmt.Errorf("site %d: %w (%s done before)", id, c.explain(err), format.Count(done, "site")))
		}
	}
	if err := out.end(""); err != nil {
		return err
	}
	if refused.count > 0 {
		return fmt.Errorf("%d of %d sites were refused", refused.count, total)
	}
	return nil
}

// endAfter ends the output of a command that has failed, if there is any.
func endAfter[T proto.Message](out printer[T], done int) error {
	if done == 0 {
		return nil
	}
	return out.end("")
}

// errorOr returns the first error.
func errorOr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
