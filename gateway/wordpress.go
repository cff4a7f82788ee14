package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wordPressPrefix begins the paths whose errors have the shape of WordPress's REST API.
const wordPressPrefix = "/wpcom/"

// isWordPress reports whether who asks at a URL knows errors in WordPress's shape.
func isWordPress(u *url.URL) bool { return strings.HasPrefix(u.Path, wordPressPrefix) }

// wordPressError is WP_Error as WordPress's REST API writes it.
type wordPressError struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Data    wordPressData `json:"data"`
}

type wordPressData struct {
	Status int `json:"status"`
	// Params says by the name of each parameter that is wrong what is wrong with it.
	Params map[string]string `json:"params,omitempty"`
}

// wordPressBody returns an error in WordPress's shape. route is the path of the RPC that the request
// has found; empty for none.
func wordPressBody(code int, p *spb.Status, route string) ([]byte, error) {
	e := wordPressError{Message: p.GetMessage(), Data: wordPressData{Status: code}}
	params := paramsOf(p)
	switch {
	case code == http.StatusBadRequest && len(params) == 1 && params["body"] != "":
		e.Code, params = "rest_invalid_json", nil
	case code == http.StatusBadRequest && len(params) > 0:
		e.Code, e.Message = "rest_invalid_param", "Invalid parameter(s): "+strings.Join(sortedKeys(params), ", ")
	default:
		e.Code, params = wordPressCode(code, codes.Code(p.GetCode()), route != ""), nil
		if word := protectCode(code); route == protectRoute && word != "" {
			e.Code = word
		}
	}
	e.Data.Params = params
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return b.Bytes(), err
}

// paramsOf returns what is wrong with which parameter: the first part of a field's name, as
// WordPress names one.
func paramsOf(p *spb.Status) map[string]string {
	params := map[string]string{}
	for _, d := range status.FromProto(p).Details() {
		bad, ok := d.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			name, _, _ := strings.Cut(strings.ReplaceAll(v.GetField(), "[", "."), ".")
			text := v.GetField() + ": " + v.GetDescription()
			if old := params[name]; old != "" {
				text = old + "; " + text
			}
			params[name] = text
		}
	}
	return params
}

func sortedKeys(params map[string]string) []string {
	var names []string
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// wordPressCode returns the code of an error that is about no parameter. Where WordPress has
// one for it, it is that.
func wordPressCode(http int, code codes.Code, found bool) string {
	switch http {
	case 401, 403:
		return "rest_forbidden"
	case 404:
		if found {
			return "unknown_blog"
		}
		return "rest_no_route"
	case 405:
		return "rest_no_route"
	case 408, 504:
		return "rest_timeout"
	case 409:
		return "rest_conflict"
	case 412:
		return "rest_precondition_failed"
	case 413:
		return "rest_request_entity_too_large"
	case 415:
		return "rest_unsupported_media_type"
	case 421:
		return "rest_misdirected_request"
	case 429:
		return "rest_too_many_requests"
	case 431:
		return "rest_header_too_large"
	case 501:
		return "rest_not_implemented"
	case 503:
		return "rest_unavailable"
	case 400:
		if code == codes.FailedPrecondition {
			return "rest_failed_precondition"
		}
		return "rest_invalid_request"
	}
	return "internal_server_error"
}

// shapeOf returns the writer of an answer that knows the shape of its errors; nil when the
// request has not come that far.
func shapeOf(w http.ResponseWriter) *countedWriter {
	for {
		switch inner := w.(type) {
		case *countedWriter:
			return inner
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}
