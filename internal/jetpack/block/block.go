package block

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// CoreText is WordPress's answer to a GET of xmlrpc.php.
const CoreText = "XML-RPC server accepts POST requests only."

// disabledText is WordPress's text when XML-RPC is off.
const disabledText = "XML-RPC services are disabled on this site"

// Answer is an HTTP response.
type Answer struct {
	Status int
	Header http.Header
	// Body is the beginning of the decoded body.
	Body []byte
}

// isGood reports whether the status is a success.
func (a Answer) isGood() bool { return a.Status >= 200 && a.Status < 300 }

// Verdict is the meaning of an answer, with what is wrong. The cause of an open answer is
// empty.
type Verdict struct {
	Kind Kind
	// Who is the product that answered, empty if unknown.
	Who string
	cause.Cause
}

// verdict returns the verdict for a kind whose text does not depend on a product.
func verdict(k Kind) Verdict { return Verdict{Kind: k, Cause: causeOf(k)} }

// Of returns the verdict for a kind without a whole answer, as Timeout.
func Of(k Kind) Verdict { return verdict(k) }

// OfGet returns the meaning of the answer to a GET of xmlrpc.php.
func OfGet(a Answer) Verdict {
	body := trim(a.Body)
	switch at := bytes.Index(body, []byte(CoreText)); {
	case a.Status != http.StatusMethodNotAllowed && !a.isGood() || isChallenge(a):
		return refused(a)
	case at == 0:
		// Some servers turn WordPress's 405 into a 200. What follows is there in the answer to a
		// POST as well.
		return verdict(Open)
	case at > 0 && at < maxJunk && !isWide(body):
		return verdict(junkBefore(body))
	case isWide(body):
		return verdict(WideAnswer)
	case a.Status == http.StatusMethodNotAllowed:
		v := verdict(MethodFilter)
		v.Who = serverOf(a)
		return v
	case len(body) == 0:
		return verdict(EmptyAnswer)
	}
	return refused(a)
}

// OfPost returns the meaning of the answer to an XML-RPC call. When it is Open, value is
// the decoded answer, or fault is not nil.
func OfPost(a Answer) (v Verdict, value xmlrpc.Value, fault *xmlrpc.Fault) {
	body := trim(a.Body)
	switch at := bytes.Index(body, []byte("<methodResponse")); {
	case a.Status == http.StatusMethodNotAllowed:
		v := verdict(PostRefused)
		v.Who = serverOf(a)
		return v, nil, nil
	case !a.isGood(), isChallenge(a):
		return refused(a), nil, nil
	case len(body) == 0:
		return verdict(EmptyAnswer), nil, nil
	case isWide(body):
		return verdict(WideAnswer), nil, nil
	case at < 0 && bytes.HasPrefix(body, []byte("<?xml")):
		return verdict(CutShort), nil, nil
	case at < 0:
		return refused(a), nil, nil
	case at > 0 && !bytes.HasPrefix(body, []byte("<?xml")):
		return verdict(junkBefore(body)), nil, nil
	}
	const end = "</methodResponse>"
	at := bytes.LastIndex(body, []byte(end))
	if at < 0 {
		return verdict(CutShort), nil, nil
	}
	if at+len(end) < len(body) {
		return verdict(OutputAfter), nil, nil
	}
	return decoded(body)
}

// decoded returns the meaning of a whole answer in XML.
func decoded(body []byte) (Verdict, xmlrpc.Value, *xmlrpc.Fault) {
	value, err := xmlrpc.DecodeAnswer(body)
	fault, isFault := errors.AsType[*xmlrpc.Fault](err)
	switch {
	case isFault && fault.Code == xmlrpc.ServicesDisabled:
		return verdict(Disabled), nil, fault
	case isFault && fault.Code == xmlrpc.ParseError:
		return verdict(CallUnread), nil, fault
	case isFault:
		return verdict(Open), nil, fault
	case err != nil:
		return verdict(JunkAnswer), nil, nil
	}
	return verdict(Open), value, nil
}

// maxJunk is how much may stand before WordPress's own text.
const maxJunk = 16 << 10

// trim removes blanks around a body. Those before the XML are harmless, as are those after.
func trim(body []byte) []byte { return bytes.TrimSpace(body) }

// isWide reports whether a body is in UTF-16.
func isWide(body []byte) bool {
	return bytes.HasPrefix(body, []byte{0xff, 0xfe}) || bytes.HasPrefix(body, []byte{0xfe, 0xff})
}

// junkBefore returns the kind of what stands before WordPress's answer.
func junkBefore(body []byte) Kind {
	if bytes.HasPrefix(body, []byte("\ufeff")) {
		return ByteOrderMark
	}
	return OutputBefore
}

// serverOf names the web server in an answer's header, without its version.
func serverOf(a Answer) string {
	for _, s := range servers {
		if hasHeader(a.Header, [2]string{"Server", strings.ToLower(s.name)}) {
			return s.name
		}
	}
	return ""
}
