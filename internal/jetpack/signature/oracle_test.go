package signature

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// asked is a request in the form that testdata/verify.php reads; what may not be UTF-8 is
// base64.
type asked struct {
	Name      string           `json:"name"`
	Now       int64            `json:"now"`
	Method    string           `json:"method"`
	Host      []byte           `json:"host"`
	URI       []byte           `json:"uri"`
	HTTPS     bool             `json:"https"`
	Port      int              `json:"port"`
	Forwarded string           `json:"forwarded"`
	Body      []byte           `json:"body"`
	Blog      string           `json:"blog"`
	Tokens    map[int64]string `json:"tokens"`
	Users     []int64          `json:"users"`
}

// answered is what PHP said of requests, as testdata/verified.json keeps it.
type answered struct {
	Versions string   `json:"versions"`
	Asked    []asked  `json:"asked"`
	Answers  []string `json:"answers"`
}

// answer is what our verifier says of a request.
func (a *asked) answer() string {
	id, err := a.verifier().Verify(a.received())
	e, refused := errors.AsType[*Error](err)
	switch {
	case errors.Is(err, ErrNotSigned):
		return "unsigned"
	case errors.Is(err, ErrFatal):
		return "fatal"
	case refused:
		return string(e.Code) + ": " + e.Message
	case id.UserID > 0:
		return fmt.Sprintf("accepted: user %d", id.UserID)
	}
	return "accepted: blog 0"
}

func (a *asked) verifier() *Verifier {
	now := func() time.Time { return time.Unix(a.Now, 0) }
	exists := func(id int64) bool {
		for _, u := range a.Users {
			if u == id {
				return true
			}
		}
		return false
	}
	return NewVerifier(VerifierOptions{
		Tokens: Keyring{Blog: a.Blog, Users: a.Tokens, UserExists: exists}, Nonces: NewNonces(9, now), Now: now,
	})
}

func (a *asked) received() Received {
	return Received{
		Method: a.Method, Host: string(a.Host), URI: string(a.URI), HTTPS: a.HTTPS, ServerPort: a.Port, ForwardedPort: a.Forwarded, Body: a.Body,
	}
}

func TestRequestsOfAnyShapeAreJudgedAsPHPDid(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/verified.json")
	if err != nil {
		t.Fatal(err)
	}
	var kept answered
	if err := json.Unmarshal(data, &kept); err != nil || len(kept.Asked) < 500 || len(kept.Asked) != len(kept.Answers) {
		t.Fatalf("%d requests, %d answers, %v", len(kept.Asked), len(kept.Answers), err)
	}
	accepted := 0
	for i, a := range kept.Asked {
		if got := a.answer(); got != kept.Answers[i] {
			t.Errorf("%s: %s, %s says %s: %q", a.Name, got, kept.Versions, kept.Answers[i], a.URI)
		}
		if strings.HasPrefix(kept.Answers[i], "accepted") {
			accepted++
		}
	}
	if accepted < len(kept.Asked)/3 {
		t.Errorf("only %d of %d are accepted", accepted, len(kept.Asked))
	}
}
