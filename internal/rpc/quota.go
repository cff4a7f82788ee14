package rpc

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// Rate bounds the calls of one caller to one server: a token, or an address without one.
type Rate struct {
	// PerSecond is how many calls a second a caller may make for long; 0 means any number.
	PerSecond float64
	// Burst is how many at once after a pause; 0 means twice PerSecond.
	Burst int
}

// quotaKey is whose calls are counted together: those with one token, else those from one
// address, which for IPv6 is a /64. The zero value is nobody's.
type quotaKey struct {
	token   int64
	address netip.Addr
}

const (
	// maxQuotas bounds the callers whose calls are counted.
	maxQuotas = 10_000
	// forwardedFor is the metadata key in which a gateway tells for whom it calls.
	forwardedFor = "x-forwarded-for"
	ipv6Network  = 64
)

// quota counts the calls of callers.
type quota struct {
	rate Rate
	// policy is the header that tells the rate.
	policy string

	mu     sync.Mutex
	spent  map[quotaKey]*rate.Limiter
	atOnce map[running]int
}

// running are the running calls of one caller to one method.
type running struct {
	key    quotaKey
	method string
}

func newQuota(r Rate) *quota {
	if r.Burst == 0 {
		r.Burst = int(math.Ceil(2 * r.PerSecond))
	}
	policy := ""
	if r.PerSecond > 0 {
		policy = fmt.Sprintf(`"caller";q=%d;w=%d`, r.Burst, int(math.Ceil(float64(r.Burst)/r.PerSecond)))
	}
	return &quota{rate: r, policy: policy, spent: map[quotaKey]*rate.Limiter{}, atOnce: map[running]int{}}
}

// take counts one call. It refuses the call when its caller has made too many, and tells
// every caller in headers what is left.
func (q *quota) take(ctx context.Context, key quotaKey) error {
	if q.rate.PerSecond <= 0 || key == (quotaKey{}) {
		return nil
	}
	now := time.Now()
	l := q.limiter(key, now)
	ok := l.AllowN(now, 1)
	left := max(0, l.TokensAt(now))
	full := (float64(q.rate.Burst) - left) / q.rate.PerSecond
	// See draft-ietf-httpapi-ratelimit-headers. A stream or call whose headers are sent
	// already has none.
	_ = grpc.SetHeader(ctx, metadata.Pairs(
		"ratelimit-policy", q.policy,
		"ratelimit", `"caller";r=`+strconv.Itoa(int(left))+`;t=`+strconv.Itoa(int(math.Ceil(full))),
	))
	if ok {
		return nil
	}
	wait := time.Duration((1 - left) / q.rate.PerSecond * float64(time.Second))
	return fault.New(fault.Exhausted, "too many calls: %g a second are allowed, and %d at once", q.rate.PerSecond, q.rate.Burst).
		With(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
}

func (q *quota) limiter(key quotaKey, now time.Time) *rate.Limiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.spent[key]
	if l == nil {
		if len(q.spent) >= maxQuotas {
			q.sweep(now)
		}
		l = rate.NewLimiter(rate.Limit(q.rate.PerSecond), q.rate.Burst)
		q.spent[key] = l
	}
	return l
}

// sweep forgets the callers that have made no call of late. When all have, it forgets those
// without a token, of whom anybody can be as many as they like, or all: to count anew is
// better than to refuse strangers, or to grow.
func (q *quota) sweep(now time.Time) {
	for key, l := range q.spent {
		if l.TokensAt(now) >= float64(q.rate.Burst) {
			delete(q.spent, key)
		}
	}
	if len(q.spent) >= maxQuotas {
		maps.DeleteFunc(q.spent, func(key quotaKey, _ *rate.Limiter) bool { return key.token == 0 })
	}
	if len(q.spent) >= maxQuotas {
		clear(q.spent)
	}
}

// hold counts a running call of a method until done is called. It refuses the call when its
// caller has most running already; 0 means any number.
func (q *quota) hold(key quotaKey, method string, most int) (done func(), err error) {
	if most == 0 || key == (quotaKey{}) {
		return func() {}, nil
	}
	r := running{key, method}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.atOnce[r] >= most {
		return nil, fault.New(fault.Exhausted, "%d calls of this kind are running for this caller, which is the most", most).
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	}
	q.atOnce[r]++
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.atOnce[r]--; q.atOnce[r] == 0 {
			delete(q.atOnce, r)
		}
	}, nil
}

// addressOf returns the address of a caller: of the connection or, through a gateway, what
// that one says.
func addressOf(ctx context.Context, node access.Caller) netip.Addr {
	text := ""
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		text = p.Addr.String()
		if host, _, err := net.SplitHostPort(text); err == nil {
			text = host
		}
	}
	if node.Role == access.Gateway {
		if said := firstValue(ctx, forwardedFor); said != "" {
			text = said
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		network, _ := a.Prefix(ipv6Network) // 64 is a length that IPv6 has
		a = network.Addr()
	}
	return a
}
